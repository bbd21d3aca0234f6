"""Keeping the patients of the present search as a cohort: a name, for whom, and the exact number before it is kept."""

from __future__ import annotations

from typing import Any

from consore_mobile.answers import Cohort
from consore_mobile.asking import Asking
from consore_mobile.failures import Failure
from consore_mobile.formatting import patients_found
from consore_mobile.widgets.kit import Field, PushButton, Quiet, Segments, Sheet, failure_words
from consore_mobile.words import word

LONGEST_NAME = 120  # characters


def cohort_sheet(app: Any, asking: Asking) -> Sheet:
    """The sheet that keeps what is asked as a cohort, and opens the cohort once it is kept."""
    language, criteria = app.language, asking.cohort_criteria
    sheet = Sheet(title=word(language, "cohorts.keep_title"))
    if criteria is None:
        return sheet.put(Quiet(text=word(language, "cohorts.keep_nothing"), font_size="15sp"))
    name = Field(label=word(language, "cohorts.name"), text=asking.text[:LONGEST_NAME])
    count = Quiet(text=word(language, "cohorts.counting"), font_size="15sp")
    whom = Segments(
        options=[("mine", word(language, "cohorts.for_me")), ("shared", word(language, "cohorts.for_all"))],
        value="mine",
    )
    problem = Quiet(text="", color=app.c.danger)
    keep = PushButton(text=word(language, "cohorts.keep"), icon="content-save-outline", size_hint_x=1)

    def counted(found: int) -> None:
        count.text = word(language, "cohorts.exactly", count=patients_found(language, found))

    def submit(*_: Any) -> None:
        if not name.text.strip():
            name.error = word(language, "cohorts.name_missing")
            return
        keep.disabled = True
        problem.text = ""
        app.ask(
            app.client.save_cohort(name.text.strip()[:LONGEST_NAME], criteria, whom.value == "shared"), kept, failed
        )

    def kept(cohort: Cohort) -> None:
        sheet.close()
        app.say(word(language, "cohorts.kept", name=cohort.name))
        app.shell.go("cohorts")
        app.shell.replace("cohort", cohort_id=cohort.id)

    def failed(failure: Failure) -> None:
        keep.disabled = False
        problem.text = " ".join(failure_words(language, failure))

    def uncounted(failure: Failure) -> None:
        count.text = " ".join(failure_words(language, failure))

    keep.bind(on_release=submit)
    app.ask(app.client.cohort_count(criteria), counted, uncounted)
    return sheet.put(name, count, whom, problem).foot(keep)
