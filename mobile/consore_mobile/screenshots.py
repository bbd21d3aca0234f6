"""Pictures of every screen of the real app against a real server, drawn offscreen.

From `mobile/`: `python -m consore_mobile.screenshots --server URL --login medecin --password … --out DIR`;
add `--admin LOGIN --admin-password …` for the screens of the admin.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from consore_mobile.window import LARGEST, PHONE, TABLET, prepare

QUESTION = "adénocarcinome du poumon sous pembrolizumab"
DEVICES = {"phone": PHONE, "tablet": TABLET}
THEMES = ("light", "dark")


def main() -> None:
    """Take them all."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--server", required=True)
    parser.add_argument("--login", required=True)
    parser.add_argument("--password", default=os.environ.get("CONSORE_MOBILE_PASSWORD", ""))
    parser.add_argument("--admin", default="")
    parser.add_argument("--admin-password", default="")
    parser.add_argument("--question", default=QUESTION)
    parser.add_argument("--language", default="fr", choices=["fr", "en"])
    parser.add_argument("--device", action="append", choices=list(DEVICES))
    parser.add_argument("--theme", action="append", choices=THEMES)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    prepare(LARGEST, offscreen=True)
    for device in options.device or DEVICES:
        for theme in options.theme or THEMES:
            _physician(options, device, theme)
            if options.admin:
                _admin(options, device, theme)


def _physician(options: argparse.Namespace, device: str, theme: str) -> None:
    begun = time.monotonic()
    hand, take = _started(options, device, theme)
    print(f"{device} {theme}: first screen after {time.monotonic() - begun:.2f} s")
    hand.settle(0.3)
    take("sign_in")
    _sign_in(hand, options.login, options.password)
    take("start")
    search = hand.page
    hand.type(search.ids.query, options.question.split()[0] + " " + options.question.split()[1])
    hand.settle(1.0)
    take("suggestions")
    search.choose(options.question)
    hand.until(lambda: search.count and search.facets is not None, 30)
    hand.settle(0.3)
    take("results")
    hand.tap(search.ids.filters_button)
    hand.settle(0.3)
    take("filters")
    hand.app.close_sheet()
    hit = _richest(hand, search)
    search.open_patient(hit.patient.id)
    hand.until(lambda: hand.page.name == "patient" and hand.page.patient, 30)
    hand.settle(0.5)
    take("patient")
    _patient(hand, take)
    hand.app.shell.go("review")
    hand.until(lambda: hand.page.total >= 0 if hand.page.name == "review" else hand.all("ReviewCard"), 30)
    hand.settle(0.4)
    take("review")
    _cohort(hand, take)
    hand.app.shell.go("centres")
    hand.until(lambda: hand.page.total or hand.page.state == "failed", 30)
    hand.settle(0.3)
    take("centres")
    cards = hand.all("CentreCard", contactable=True)
    if cards:
        hand.page.contact(cards[-1].row)
        hand.settle(0.3)
        take("contact")
        hand.app.close_sheet()
    hand.app.shell.go("settings")
    hand.settle(0.3)
    take("settings")
    hand.stop()


def _patient(hand, take: Callable[[str], None]) -> None:  # type: ignore[no-untyped-def]
    page = hand.page
    lanes = [lane for lane in page.patient.timeline.lanes if lane.items]
    items = [item for lane in lanes for item in lane.items if any(e.document_id for e in item.evidence)]
    if items:
        page.show_item(items[-1])
        hand.settle(0.3)
        take("evidence")
        hand.app.close_sheet()
    for tab in ("treatments", "biomarkers", "documents", "tumours"):
        page.ids.tabs.value = tab
        hand.settle(0.6)
        _scroll_to_tabs(page)
        hand.settle(0.3)
        take(tab)
    proofs = [proof for item in items for proof in item.evidence if proof.document_id and proof.start is not None]
    if proofs:
        hand.app.shell.open("document", document_id=proofs[-1].document_id, start=proofs[-1].start, end=proofs[-1].end)
        hand.until(lambda: hand.page.name == "document" and hand.page.document, 30)
        hand.settle(0.5)
        take("document")
        hand.app.shell.back()
    page.similar()
    hand.until(lambda: hand.page.name == "similar" and hand.page.of, 30)
    hand.settle(0.3)
    take("similar")


def _cohort(hand, take: Callable[[str], None]) -> None:  # type: ignore[no-untyped-def]
    hand.app.shell.go("search")
    search = hand.app.shell.main.get_screen("search")
    search.keep()
    hand.settle(1.0)
    take("keep_cohort")
    (keep,) = (button for button in hand.all("PushButton") if button.icon == "content-save-outline")
    hand.tap(keep)
    page = hand.until(lambda: [page for page in hand.all("CohortPage") if page.cohort], 30)[0]
    for tab in ("funnel", "breakdown", "survival", "patients"):
        page.ids.tabs.value = tab
        hand.settle(1.5)
        take(f"cohort_{tab}")
    hand.app.shell.back()
    hand.settle(0.5)
    take("cohorts")


def _scroll_to_tabs(page) -> None:  # type: ignore[no-untyped-def]
    body, scroll = page.ids.body, page.ids.scroll
    beyond = body.height - scroll.height
    if beyond > 0:
        scroll.scroll_y = max(0.0, 1 - (body.top - page.ids.tabs.top) / beyond)


def _admin(options: argparse.Namespace, device: str, theme: str) -> None:
    hand, take = _started(options, device, theme)
    _sign_in(hand, options.admin, options.admin_password)
    cards = hand.until(lambda: hand.all("SourceCard"), 30)
    hand.settle(0.3)
    take("sources")
    hand.reveal(cards[0])
    hand.reveal(cards[-1])
    take("sources_below")
    hand.tap(max(cards, key=lambda card: (card.has_rejected, card.running)))
    hand.until(lambda: hand.page.name == "source" and hand.page.source, 30)
    hand.settle(0.3)
    take("source")
    hand.page.frequency = "CRON"
    hand.page.ids.cron.text = "30 2 * * mon,thu"
    hand.until(lambda: hand.page.next_text, 30)
    hand.settle(0.3)
    hand.reveal(hand.page.ids.save)
    hand.settle(0.2)
    take("schedule")
    hand.page.ask_blackout()
    hand.settle(0.3)
    take("blackout")
    hand.app.close_sheet()
    if hand.all("ReasonCard"):
        hand.reveal(hand.all("ReasonCard")[0].ids.replay)
        hand.settle(0.2)
        take("quarantine")
    hand.app.shell.back()
    hand.until(lambda: hand.page.name == "sources", 30)
    hand.tap(next(item for item in hand.all("NavItem") if item.name == "referentials"))
    hand.until(lambda: hand.all("ReferentialCard"), 30)
    hand.settle(0.5)
    take("referentials")
    hand.stop()


def _started(options: argparse.Namespace, device: str, theme: str):  # type: ignore[no-untyped-def]
    from consore_mobile.app import ConsoreApp
    from consore_mobile.driving import Hand

    folder = Path(tempfile.mkdtemp(prefix="consore-pictures-"))
    app = ConsoreApp(server=options.server, folder=folder)
    app.preferences.theme, app.preferences.language = theme, options.language
    hand = Hand(app, DEVICES[device])

    def take(name: str) -> None:
        print(hand.picture(options.out / f"{device}_{theme}_{name}.png"))

    return hand, take


def _sign_in(hand, login: str, password: str) -> None:  # type: ignore[no-untyped-def]
    page = hand.page
    hand.type(page.ids.login.ids.input, login)
    hand.type(page.ids.password.ids.input, password)
    hand.tap(page.ids.submit)
    hand.until(lambda: hand.app.me, 30)
    hand.settle(0.4)


def _richest(hand, search):  # type: ignore[no-untyped-def]
    """The hit whose headline says most: a short history makes a poor picture."""
    return max(search.asking.hits, key=lambda hit: (len(hit.patient.headline), hit.score))


if __name__ == "__main__":
    main()
