"""Importers of the official files, as they really come; see `kinds.toml` for what can be imported."""

from consore.referentials.importing.editions import SHIPPED, StoredEdition, editions_of
from consore.referentials.importing.kinds import AUTO, Kind, kind_named, kind_of_folder, kinds
from consore.referentials.importing.local import LocalTerm, add_local_term, local_terms, remove_local_term
from consore.referentials.importing.running import ImportReport, activate_edition, draft_into, import_referential

__all__ = [
    "AUTO",
    "SHIPPED",
    "ImportReport",
    "Kind",
    "LocalTerm",
    "StoredEdition",
    "activate_edition",
    "add_local_term",
    "draft_into",
    "editions_of",
    "import_referential",
    "kind_named",
    "kind_of_folder",
    "kinds",
    "local_terms",
    "remove_local_term",
]
