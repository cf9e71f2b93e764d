"""Which published data set's numbers stand beside those of ours."""

from collections.abc import Mapping

import pandas as pd

from rediffuse.config.data import Published


def stand_ins(datasets: Mapping[str, object], measured: pd.DataFrame, numbers: pd.DataFrame) -> tuple[dict[str, str], list[str]]:
    """The published data set whose numbers stand beside each of ours that was measured: its own, where it has some, else CIFAR-10's; and
    ours that are the whole of theirs."""
    published = set(numbers["dataset"])
    own = {name: data for name, data in datasets.items() if isinstance(data, Published) and data.published in published}
    names = {str(name): own[name].published if name in own else "CIFAR-10" for name in measured["dataset"].unique()}
    return names, [name for name, data in own.items() if data.is_whole]
