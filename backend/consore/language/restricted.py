"""Loads a Flair tagger from a file that came from elsewhere, without letting the file run code.

Flair's models are pickles, and a pickle may call anything. The ones that `consore train` writes need only the few names
below; a file that asks for any other name is refused before it is called.
"""

from __future__ import annotations

import pickle
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any

from consore.errors import ComponentError, InputError

if TYPE_CHECKING:
    from flair.models import SequenceTagger

_ADMITTED = frozenset(
    {
        ("collections", "OrderedDict"),
        ("torch._utils", "_rebuild_tensor_v2"),
        ("torch", "FloatStorage"),
        ("torch", "LongStorage"),
        ("torch.torch_version", "TorchVersion"),
        ("flair.data", "Dictionary"),
    }
)


class RestrictedUnpickler(pickle.Unpickler):
    """An unpickler that knows the names of a tagger and no other."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        """The object of an admitted name; UnpicklingError for any other."""
        if (module_name, global_name) not in _ADMITTED:
            raise pickle.UnpicklingError(f"the file asks for {module_name}.{global_name}")
        return super().find_class(module_name, global_name)


def load_tagger(path: Path) -> SequenceTagger:
    """The Flair tagger in `path`.

    Raises InputError when the file is not one or asks for a name that a tagger does not need, ComponentError when
    flair is not installed.
    """
    try:
        import flair
        import torch
        from flair.models import SequenceTagger

        import consore.language.embedding  # noqa: F401 — registers the embedding that the file names
    except ImportError as error:
        raise ComponentError("Loading a Flair model needs flair and torch.", "Install consore[language].") from error
    module = types.ModuleType("restricted_pickle")
    module.Unpickler = RestrictedUnpickler  # type: ignore[attr-defined]
    module.load = lambda file, **options: RestrictedUnpickler(file, **options).load()  # type: ignore[attr-defined]
    try:
        state = torch.load(path, map_location=flair.device, weights_only=False, pickle_module=module)
        model = SequenceTagger._init_model_with_state_dict(state)
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError, AttributeError, ValueError, TypeError) as error:
        raise InputError(
            f"{path} is refused: {error}.", "Give a model that `consore train` wrote, from someone whom you trust."
        ) from error
    model.eval()
    return model
