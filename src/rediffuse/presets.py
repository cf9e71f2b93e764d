"""Reading a preset. A mistake is one line before anything starts: file, key, what was found, what is allowed."""

import json
import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from rediffuse.config.preset import Preset
from rediffuse.errors import UserError

SHIPPED = Path(__file__).resolve().parents[2] / "config"


def preset_path(preset: str) -> Path:
    """The file of a shipped preset's name, or of a path that ends in .yaml. Raises UserError."""
    shipped = sorted(SHIPPED.glob("*.yaml"))
    names = [path.stem for path in shipped]
    if not preset.endswith((".yaml", ".yml")):
        if preset not in names:
            raise UserError(f"preset: found {preset!r}; expected one of {', '.join(names)}, or a path that ends in .yaml")
        return SHIPPED / f"{preset}.yaml"
    path = Path(preset)
    if path.stem in names and path.resolve() != SHIPPED / f"{path.stem}.yaml":
        raise UserError(f"{path}: its name is a shipped preset's, whose results it would replace; expected another name than {path.stem}")
    if not re.fullmatch(r"[\w.-]+", path.stem, re.ASCII):
        raise UserError(f"{path}: found the name {path.stem!r}; expected letters, digits, dashes and dots: the results' folder takes it")
    return path


def load_preset(path: Path) -> Preset:
    """The preset in a YAML file. Raises UserError: one line with the file, the key's path, what was found and what is allowed."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        raw = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: could not be read: {error.strerror}; expected a preset (see config/laptop.yaml)") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not text; expected a preset in YAML (see config/laptop.yaml)") from None
    except (YAMLError, ValueError, RecursionError) as error:  # the last two of a value that does not fit its tag, and of endless nesting
        where = f"line {error.problem_mark.line + 1}: " if isinstance(error, MarkedYAMLError) and error.problem_mark else ""
        said = getattr(error, "problem", None) or error
        raise UserError(f"{path}: {where}{' '.join(str(said).split())}; expected YAML") from None
    if not isinstance(raw, dict):
        raise UserError(f"{path}: found {_short(raw)}; expected the keys {', '.join(Preset.model_fields)}")
    try:
        return Preset.model_validate(raw, strict=True)
    except ValidationError as error:
        raise UserError(f"{path}: {': '.join(problem(error, raw))}") from None


def problem(error: ValidationError, raw: Any) -> tuple[str, str]:
    """The first of what is wrong with a block of options: the key's path, and what was found and what is allowed."""
    told = [_told(details, raw) for details in error.errors(include_url=False)]
    key, found, _ = told[0]
    expected = " or ".join(dict.fromkeys(each for where, _, each in told if where == key))  # a union has an error a member
    more = len({where for where, _, _ in told}) - 1
    return key, f"{found}; expected {expected}{f' (and {more} more)' if more else ''}"


def _told(error: ErrorDetails, raw: Any) -> tuple[str, str, str]:
    """The key's path, what was found and what was expected, of one of pydantic's errors."""
    context = error.get("ctx", {})
    keys: list[str] = []
    for part in error["loc"]:  # a union's tag stands in the path, but is no key of the file
        if isinstance(raw, list) and isinstance(part, int) and part < len(raw):
            keys, raw = [*keys, str(part)], raw[part]
        elif isinstance(raw, dict) and (part in raw or (error["type"] == "missing" and part == error["loc"][-1])):
            keys, raw = [*keys, str(part)], raw.get(part)
    key, found = ".".join(keys), f"found {_short(error['input'])}"
    match error["type"]:
        case "unknown_key":
            return ".".join([*keys, context["key"]]), "unknown key", context["expected"]
        case "wrong":
            return ".".join([*keys, context["key"]]), f"found {context['found']}", context["expected"]
        case "missing":
            return key, "not given", "a value"
        case "union_tag_not_found":
            return f"{key}.kind", "not given", "a kind (config/schema.json lists them)"
        case "union_tag_invalid":
            return f"{key}.kind", f"found {_short(raw['kind'])}", context["expected_tags"]
        case "model_type" | "model_attributes_type" | "dict_type":
            return key, found, "keys with values"
        case "string_pattern_mismatch":
            return key, found, "a name of letters, digits and dashes"
        case "string_too_short":
            return key, found, "some text"
        case "too_short":
            return key, found, f"at least {context['min_length']} of them"
    return key, found, error["msg"].removeprefix("Input should ").removeprefix("be ")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def schema() -> str:
    """The JSON schema of a preset, as config/schema.json holds it: `python -m rediffuse.presets > config/schema.json`."""
    return json.dumps(Preset.model_json_schema(), indent=2) + "\n"


if __name__ == "__main__":
    print(schema(), end="")
