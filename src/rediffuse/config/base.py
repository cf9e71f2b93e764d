"""What every block of options has in common: nothing unknown, nothing converted, and errors that name the key."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]*$")]
Count = Annotated[int, Field(ge=1, lt=2**31)]
Several = Annotated[int, Field(ge=2, lt=2**31)]
"""As many as a standard error needs."""
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Beta = Annotated[float, Field(gt=0, lt=1)]


class Options(BaseModel):
    """A block of options: nothing unknown, nothing converted, nothing changed later."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, value: Any) -> Any:
        names = [field.alias or name for name, field in cls.model_fields.items()]
        for key in value if isinstance(value, dict) else ():
            if key not in names:
                raise PydanticCustomError("unknown_key", "{key}", {"key": str(key), "expected": "one of " + ", ".join(names)})
        return value


def wrong(key: str, found: object, expected: str) -> PydanticCustomError:
    """The error of one option: its key below the block that is checked, what was found, what is allowed."""
    return PydanticCustomError("wrong", "{key}", {"key": key, "found": repr(found), "expected": expected})
