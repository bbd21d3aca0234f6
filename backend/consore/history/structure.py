"""From everything known of a patient to the history of their cancers (*biographie médicale*)."""

from __future__ import annotations

from consore.history.clues import read
from consore.history.events import find_events
from consore.history.staging import add_staging
from consore.history.treatments import find_treatments
from consore.history.tumours import find_tumours
from consore.model import Biography, Dossier
from consore.referentials import Terminology


def structure(dossier: Dossier, terminology: Terminology) -> Biography:
    """The history of one patient: tumours, events and treatments, each with its evidence.

    Pure: the same dossier gives the same history, in whatever order its documents, mentions and rows come. The rules
    are in `rules.toml` and in the docstrings of the modules. Nothing raises on a poor dossier: the unknown is null.
    """
    reading = read(dossier, terminology)
    tumours = find_tumours(reading, terminology)
    add_staging(reading, tumours, terminology)
    events = find_events(reading, tumours)
    treatments = find_treatments(reading, tumours, events, terminology)
    return Biography(dossier.patient_id, tumours.items, events, treatments)
