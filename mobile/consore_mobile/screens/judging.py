"""What a physician says of an item: confirm, correct or reject, from the list or from a point of a history."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

from consore_mobile.answers import Belief, Conflict, ReviewField, ReviewItem
from consore_mobile.failures import Failure
from consore_mobile.formatting import short_date
from consore_mobile.widgets.kit import Choices, Field, Heading, PushButton, Quiet, Sheet, failure_words
from consore_mobile.words import word, word_or

Done = Callable[[str, str], None]
ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def may_judge(app: Any) -> bool:
    """Whether who is signed in reviews histories in the app."""
    return bool(app.me and app.me.role == "PHYSICIAN")


def judge(
    app: Any,
    patient_id: str,
    key: str,
    verdict: str,
    done: Done,
    values: dict[str, str] | None = None,
    failed: Callable[[Failure], None] | None = None,
) -> None:
    """Send what is said; `done` is given the verdict and what takes it back."""

    def refused(failure: Failure) -> None:
        app.say(" ".join(failure_words(app.language, failure)))

    app.ask(
        app.client.review_item(patient_id, key, verdict, values),
        lambda review: done(verdict, review),
        failed or refused,
    )


def judging_buttons(app: Any, patient_id: str, key: str, done: Done, *, set_aside: bool = False) -> list[PushButton]:
    """Confirm, correct, reject, side by side. What was set aside is added or left out."""
    language = app.language
    words = ("add", "correct", "leave") if set_aside else ("confirm", "correct", "reject")
    looks = ("filled", "tonal", "danger")

    def send(verdict: str) -> None:
        for button in buttons:
            button.disabled = True

        def failed(failure: Failure) -> None:
            for button in buttons:
                button.disabled = False
            app.say(" ".join(failure_words(language, failure)))

        judge(app, patient_id, key, verdict, done, failed=failed)

    buttons = [
        PushButton(text=word(language, f"review.{name}"), look=look, size_hint_x=1, padding=(0, 0))
        for name, look in zip(words, looks, strict=True)
    ]
    confirm, correct, reject = buttons
    confirm.bind(on_release=lambda *_: send("CONFIRM"))
    correct.bind(on_release=lambda *_: correct_sheet(app, patient_id, key, done))
    reject.bind(on_release=lambda *_: send("REJECT"))
    return buttons


def correct_sheet(app: Any, patient_id: str, key: str, done: Done) -> None:
    """Ask for what may be corrected, then open the sheet that corrects one value."""

    def failed(failure: Failure) -> None:
        app.say(" ".join(failure_words(app.language, failure)))

    app.ask(app.client.item_for_review(patient_id, key), lambda item: _correct(app, item, done), failed)


def because(app: Any, belief: Belief) -> list[Any]:
    """Why an item is believed, and what other sources say, as lines of text."""
    language = app.language
    lines = [Quiet(text=belief.why, font_size="14sp")] if belief.why else []
    if belief.conflicts:
        told = " ; ".join(conflict_words(language, one) for one in belief.conflicts)
        lines.append(Quiet(text=word(language, "review.others", what=told), font_size="14sp"))
    return lines


def conflict_words(language: str, conflict: Conflict) -> str:
    """ "Côté droit": what another source says, in the words of people."""
    name = word_or(language, f"review.field.{conflict.attribute}", conflict.attribute)
    return f"{name} {value_words(language, conflict.value)}"


def value_words(language: str, value: str) -> str:
    """A word of a closed list, or a day, as people say it; another value as it is."""
    if ISO_DAY.fullmatch(value):
        return short_date(language, dt.date.fromisoformat(value))
    known = (
        word_or(language, f"laterality.{value}", ""),
        word_or(language, f"status.{value}", ""),
        word_or(language, f"event_type.{value}", ""),
        word_or(language, f"treatment_type.{value}", ""),
    )
    return next((told for told in known if told), value)


def _correct(app: Any, item: ReviewItem, done: Done) -> None:
    language = app.language
    sheet = Sheet(title=word(language, "review.correct_title"), subtitle=item.label)
    names = Choices()
    names.options = [(one.name, _name(language, one)) for one in item.fields]
    present = Quiet(text="", font_size="14sp")
    heading = Heading(text="")
    choices = Choices()
    written = Field(label="", hint="")
    problem = Quiet(text="", color=app.c.danger)
    save = PushButton(text=word(language, "review.save"), icon="check", size_hint_x=1)
    fields = {one.name: one for one in item.fields}

    def show(name: str) -> None:
        one = fields[name]
        names.value, choices.value, written.text, problem.text = name, "", "", ""
        told = value_words(language, one.label) or word(language, "app.unknown")
        present.text = word(language, "review.present", value=told)
        options = [(other.value, value_words(language, other.label)) for other in one.others]
        taken = {value for value, _ in options}
        options += [(value, value_words(language, value)) for value in one.choices if value not in taken]
        choices.options = [(value, text) for value, text in options if value_words(language, one.label) != text]
        heading.text = word(language, "review.choose") if options else ""
        closed = bool(one.choices)
        written.label = word(language, "review.write" if options else "review.write_only")
        written.ids.input.hint_text = word_or(language, f"review.write_as.{one.kind}", "")
        written.opacity, written.disabled = (0, True) if closed else (1, False)

    def choose(value: str) -> None:
        choices.value = value

    def submit(*_: Any) -> None:
        value = written.text.strip() or choices.value
        if not value:
            problem.text = word(language, "review.missing")
            return
        save.disabled, problem.text = True, ""

        def accepted(verdict: str, review: str) -> None:
            sheet.close()
            done(verdict, review)

        def failed(failure: Failure) -> None:
            save.disabled = False
            problem.text = " ".join(failure_words(language, failure))

        judge(app, item.patient.id, item.key, "CORRECT", accepted, {names.value: value}, failed)

    names.bind(on_choice=lambda _, name: show(name))
    choices.bind(on_choice=lambda _, value: choose(value))
    save.bind(on_release=submit)
    sheet.put(Heading(text=word(language, "review.what")), names, present, heading, choices, written, problem)
    sheet.foot(save)
    app.open_sheet(sheet)
    disputed = next((one.name for one in item.fields if one.others), item.fields[0].name)
    show(disputed)


def _name(language: str, one: ReviewField) -> str:
    return word_or(language, f"review.field.{one.name}", one.name)
