"""A patient at a glance: who, the drawn history, then tumours, treatments, biomarkers, documents, with evidence."""

from __future__ import annotations

from typing import Any

from kivy.properties import ListProperty, ObjectProperty, StringProperty
from kivy.uix.boxlayout import BoxLayout

from consore_mobile import answers
from consore_mobile.formatting import (
    identity,
    long_date,
    period,
    result_of,
    short_date,
)
from consore_mobile.screens.evidence import evidence_sheet
from consore_mobile.screens.page import Page, rules_beside
from consore_mobile.timeline_layout import legend
from consore_mobile.widgets.history import Shape
from consore_mobile.widgets.kit import Heading, PushButton, Quiet, Skeleton, Tappable, TappableCard, failure_notice
from consore_mobile.words import word, word_or

TABS = ("tumours", "treatments", "biomarkers", "documents")


class FactCard(TappableCard):
    """A derived fact: a title, lines, tags; a tap shows its evidence."""

    title = StringProperty("")
    line = StringProperty("")
    detail = StringProperty("")
    icon = StringProperty("")
    tags = ListProperty()


class DocumentRow(Tappable):
    """A document of the patient."""

    title = StringProperty("")
    line = StringProperty("")
    icon = StringProperty("file-document-outline")


class LegendItem(BoxLayout):
    """A shape and what it means."""

    text = StringProperty("")


DOCUMENT_ICONS = {
    "pathology": "microscope",
    "imaging": "radiology-box-outline",
    "surgery": "content-cut",
    "rcp": "account-group-outline",
    "molecular": "dna",
    "biology": "test-tube",
    "chemotherapy": "iv-bag",
    "radiotherapy": "radioactive",
    "letter": "email-outline",
    "discharge": "exit-to-app",
    "hospital_stay": "bed-outline",
    "consultation": "stethoscope",
}
TREATMENT_ICONS = {
    "surgery": "content-cut",
    "chemotherapy": "iv-bag",
    "radiotherapy": "radioactive",
    "hormonotherapy": "pill",
    "targeted": "target",
    "immunotherapy": "shield-plus-outline",
}


class PatientPage(Page):
    """The history of one patient."""

    patient = ObjectProperty(None, allownone=True)
    headline = StringProperty("")
    summary = ListProperty()
    identity = StringProperty("")
    status = StringProperty("")
    tab = StringProperty("tumours")
    tab_names = ListProperty()

    def open(self, patient_id: str) -> None:
        """Ask for the history of this patient."""
        self.patient = None
        self.load(("patient", patient_id), lambda: self.app.client.patient(patient_id), self._show)

    def similar(self) -> None:
        """Patients who resemble this one."""
        self.app.shell.open("similar", patient_id=self.patient.id)

    def show_item(self, item: answers.TimelineItem) -> None:
        """An item of the history was tapped: where it comes from."""
        kind = word_or(self.app.language, f"treatment_type.{item.kind}", "")
        kind = kind or word_or(self.app.language, f"event_type.{item.kind}", item.kind)
        when = period(self.app.language, item.start, item.end)
        self._explain(answers.drawable(item.label), f"{kind} · {when}", item.evidence, item.belief)

    def on_tab(self, *_: Any) -> None:
        if self.patient is not None:
            self._fill()

    def _explain(
        self, title: str, subtitle: str, evidence: list[answers.Evidence], belief: answers.Belief | None = None
    ) -> None:
        self.app.open_sheet(evidence_sheet(self.app, title, subtitle, evidence, belief, self.patient.id))

    def _show(self, patient: answers.Patient) -> None:
        language = self.app.language
        self.patient = patient
        self.headline = patient.headline
        self.summary = [answers.drawable(line) for line in patient.summary] or [patient.headline]
        self.identity = identity(language, patient)
        if patient.death_date:
            self.status = word(language, "patient.died", date=long_date(language, patient.death_date))
        elif patient.last_news_date:
            self.status = word(language, "patient.last_news", date=long_date(language, patient.last_news_date))
        else:
            self.status = ""
        counts = {
            "tumours": len(patient.tumours),
            "treatments": len(patient.treatments),
            "biomarkers": len(patient.biomarkers) + len(patient.alterations),
        }
        self.tab_names = [
            (tab, word(language, f"patient.{tab}") + (f" {counts[tab]}" if counts.get(tab) else "")) for tab in TABS
        ]
        history = self.ids.history
        history.zoom, history.shift, history.selected = 1, 0, ""
        history.timeline = patient.timeline
        self.ids.scroll.scroll_y = 1
        self._fill()

    def show_legend(self, *_: Any) -> None:
        """Name the shapes that are drawn."""
        box, drawn = self.ids.legend, self.ids.history.drawn
        box.clear_widgets()
        for kind, shape, colour in legend(drawn) if drawn else []:
            name = word_or(self.app.language, f"treatment_type.{kind}", "")
            item = LegendItem(text=name or word_or(self.app.language, f"event_type.{kind}", kind))
            item.add_widget(Shape(shape=shape, colour=colour, size_hint=(None, 1), width=26), index=1)
            box.add_widget(item)

    def _fill(self) -> None:
        self.ids.section.clear_widgets()
        getattr(self, f"_fill_{self.tab}")(self.patient)

    def _put(self, widget: Any) -> None:
        self.ids.section.add_widget(widget)

    def _none(self, what: str) -> None:
        self._put(Quiet(text=word(self.app.language, f"patient.none_{what}"), font_size="15sp"))

    def _card(self, evidence: list[answers.Evidence], belief: answers.Belief | None = None, **given: Any) -> None:
        title, subtitle = given["title"], given.get("line", "")
        if belief and belief.is_doubtful:
            given["title"] = f"{title} (?)"
        card = FactCard(**given)
        card.bind(on_release=lambda *_: self._explain(title, subtitle, evidence, belief))
        self._put(card)

    def _fill_tumours(self, patient: answers.Patient) -> None:
        language = self.app.language
        if not patient.tumours:
            self._none("tumours")
        for tumour in patient.tumours:
            codes = [code for code in (tumour.topography, tumour.morphology) if code]
            tags = [
                tnm
                for tnm in (
                    tumour.ctnm and f"c{tumour.ctnm.removeprefix('c')}",
                    tumour.ptnm and f"p{tumour.ptnm.removeprefix('p')}",
                )
                if tnm
            ]
            tags += [word(language, "patient.stage", stage=tumour.stage)] if tumour.stage else []
            tags += [word(language, "patient.grade", grade=tumour.grade)] if tumour.grade else []
            tags += [f"{b.label} {result_of(language, b)}" for b in tumour.biomarkers[:6]]
            label = tumour.label or tumour.morphology_label or tumour.topography_label or ""
            line = word(language, "patient.tumour", rank=tumour.rank)
            if tumour.diagnosis_date:
                line += " · " + word(language, "patient.diagnosed", date=long_date(language, tumour.diagnosis_date))
            self._card(
                tumour.evidence,
                tumour.belief,
                title=label,
                line=line,
                detail="  ".join(codes),
                tags=tags,
                icon="ribbon",
            )
        if patient.events:
            self._put(Heading(text=word(language, "patient.events")))
        for event in sorted(patient.events, key=lambda event: (event.date is None, event.date)):
            kind = word_or(language, f"event_type.{event.type}", event.type)
            line = " · ".join(part for part in (kind, short_date(language, event.date)) if part)
            tags = [site.label for site in event.sites]
            self._card(
                event.evidence, event.belief, title=event.label or kind, line=line, tags=tags, icon="flag-outline"
            )

    def _fill_treatments(self, patient: answers.Patient) -> None:
        language = self.app.language
        if not patient.treatments:
            self._none("treatments")
        for treatment in sorted(patient.treatments, key=lambda t: (t.start is None, t.start)):
            kind = word_or(language, f"treatment_type.{treatment.type}", treatment.type)
            line = " · ".join(part for part in (kind, period(language, treatment.start, treatment.end)) if part)
            tags = [word(language, "patient.line", line=treatment.line)] if treatment.line else []
            tags += [word_or(language, f"intent.{treatment.intent}", treatment.intent)] if treatment.intent else []
            tags += (
                [word_or(language, f"response.{treatment.response}", treatment.response)] if treatment.response else []
            )
            drugs = ", ".join(drug.name for drug in treatment.drugs)
            detail = drugs if drugs.lower() != treatment.name.lower() else ""
            icon = TREATMENT_ICONS.get(treatment.type, "medical-bag")
            self._card(
                treatment.evidence,
                treatment.belief,
                title=treatment.name,
                line=line,
                detail=detail,
                tags=tags,
                icon=icon,
            )

    def _fill_biomarkers(self, patient: answers.Patient) -> None:
        language = self.app.language
        if not patient.biomarkers and not patient.alterations:
            self._none("biomarkers")
        for biomarker in patient.biomarkers:
            title = f"{biomarker.label} : {result_of(language, biomarker)}"
            self._card(
                biomarker.evidence,
                biomarker.belief,
                title=title,
                line=short_date(language, biomarker.date),
                icon="test-tube",
            )
        if patient.alterations:
            self._put(Heading(text=word(language, "patient.alterations")))
        for alteration in patient.alterations:
            status = word_or(language, f"status.{alteration.status}", alteration.status)
            title = " ".join(part for part in (alteration.gene, alteration.variant or "", status) if part)
            self._card(
                alteration.evidence,
                alteration.belief,
                title=title,
                line=short_date(language, alteration.date),
                icon="dna",
            )
        if patient.samples:
            self._put(Heading(text=word(language, "patient.samples")))
        for sample in patient.samples:
            line = " · ".join(part for part in (sample.status, short_date(language, sample.date)) if part)
            self._card([], title=sample.type, line=line, icon="flask-outline")

    def _fill_documents(self, patient: answers.Patient, after: str | None = None) -> None:
        waiting = Skeleton(size_hint_y=None, height="180dp")
        self._put(waiting)
        section, shown = self.ids.section, patient

        def leave() -> bool:
            waiting.stop()
            section.remove_widget(waiting)
            return self.patient is shown and self.tab == "documents"

        def received(page: answers.DocumentPage) -> None:
            if not leave():
                return
            if not page.documents and not after:
                self._none("documents")
            for document in page.documents:
                self._put(self._document_row(document))
            if page.after:
                more = PushButton(text=word(self.app.language, "app.more"), look="tonal")
                more.bind(
                    on_release=lambda *_: (section.remove_widget(more), self._fill_documents(patient, page.after))
                )
                self._put(more)

        def failed(failure: Any) -> None:
            if leave():
                notice = failure_notice(failure, self._fill)
                notice.size_hint_y, notice.height = None, "260dp"
                self._put(notice)

        self.app.ask(self.app.client.patient_documents(patient.id, after), received, failed)

    def _document_row(self, document: answers.Document) -> DocumentRow:
        language = self.app.language
        kind = word_or(language, f"document_kind.{document.kind}", document.kind)
        who = document.author or document.service
        line = " · ".join(
            part
            for part in (
                short_date(language, document.date),
                kind if document.title.lower() not in {"", kind.lower()} else "",
                who,
            )
            if part
        )
        row = DocumentRow(title=document.title or kind, line=line)
        row.icon = DOCUMENT_ICONS.get(document.kind, "file-document-outline")
        row.bind(on_release=lambda *_: self.app.shell.open("document", document_id=document.id))
        return row


rules_beside(__file__)
