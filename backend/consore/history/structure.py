"""From everything known of a patient to the history of their cancers (*biographie médicale*)."""

from __future__ import annotations

from consore.history.beliefs import calibrate, name_items
from consore.history.clues import read
from consore.history.corrections import correct_events, correct_treatments, correct_tumours, not_corrected
from consore.history.events import find_events, in_order
from consore.history.results import add_results
from consore.history.staging import add_staging
from consore.history.treatments import by_first_day, find_treatments
from consore.history.tumours import find_tumours, tumour_label
from consore.history.vital import add_death, add_vital_status
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
    add_results(reading, tumours, terminology)
    correct_tumours(tumours, dossier.corrections)
    for item in tumours.items:
        item.label = tumour_label(item, terminology)
    history = Biography(dossier.patient_id, tumours.items, set_aside=tumours.set_aside)
    name_items(history)
    events, doubtful = find_events(reading, tumours, terminology)
    history.events = events
    add_death(history, reading)
    history.events = correct_events(history.events, tumours, dossier.corrections)
    add_vital_status(history, reading)
    name_items(history)
    history.events = in_order(history.events)
    history.set_aside += doubtful
    treatments, unsure = find_treatments(reading, tumours, history.events, terminology)
    history.treatments = correct_treatments(treatments, tumours, dossier.corrections)
    name_items(history)
    history.treatments = by_first_day(history.treatments)
    history.set_aside = not_corrected([*history.set_aside, *unsure], dossier.corrections)
    calibrate(history)
    reading.forget()
    return history
