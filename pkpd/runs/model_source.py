"""A model by what a run file calls it: names of the library joined by `>>`, or a function in a Python file."""

import importlib.util
import re
from pathlib import Path

from pkpd.errors import InputError
from pkpd.models.model import Model


def model_file(text: str, folder: Path) -> Path | None:
    """The Python file of `file.py:name`, relative to `folder`; None for names of the library."""
    path, colon, name = text.rpartition(":")
    return (folder / path).resolve() if colon and path.endswith(".py") and name else None


def find_model(text: str, folder: Path) -> Model:
    """The model `text` names.

        il2_sc >> treg_proliferation        models of the library, the left one driving the right one
        my_models.py:oral                   `oral` of the file: a Model, or a function without arguments that gives one

    A file is imported because it is named here; nothing else is executed. Raises `InputError` on a name that is not
    known, a file that cannot be imported, and what is no model.
    """
    path = model_file(text, folder)
    if path is not None:
        return _from_file(path, text.rpartition(":")[2].strip())
    from pkpd.models.library import model

    names = [part.strip() for part in text.split(">>")]
    for name in names:
        if not re.fullmatch(r"\w+", name):
            raise InputError(
                f"'{text}' is no model: give a name of `pkpd models list`, several joined by >>, or file.py:name"
            )
    found = model(names[0])
    for name in names[1:]:
        found = found >> model(name)
    return found


def _from_file(path: Path, name: str) -> Model:
    if not path.is_file():
        raise InputError(f"there is no file '{path}'; give its place relative to the run file, or to where you are")
    spec = importlib.util.spec_from_file_location(f"pkpd_user_model_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise InputError(f"'{path}' cannot be imported as Python")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        # Whatever a person's own file raises is that person's to mend.
        raise InputError(f"importing '{path}' fails: {type(error).__name__}: {error}") from error
    found = getattr(module, name, None)
    if found is None:
        known = [one for one, value in vars(module).items() if callable(value) or isinstance(value, Model)]
        raise InputError(f"'{path}' has no '{name}'; it has {', '.join(k for k in known if not k.startswith('_'))}")
    if callable(found):
        try:
            found = found()
        except TypeError as error:
            raise InputError(f"'{name}' of '{path}' cannot be called without arguments: {error}") from error
        except (Exception, SystemExit) as error:
            raise InputError(f"'{name}' of '{path}' fails: {type(error).__name__}: {error}") from error
    if not isinstance(found, Model):
        raise InputError(f"'{name}' of '{path}' is a {type(found).__name__}, no Model")
    from pkpd.engine.rehearsal import rehearse  # JAX, which models of the library do without

    rehearse(found)
    return found
