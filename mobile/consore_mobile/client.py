"""The one door to the server: GraphQL over HTTPS, nothing else.

Tokens live in memory and die with the app. An access token that has expired is renewed once, with a refresh token
that the server changes at each use; calls that meet the same expiry wait for that one renewal. When it fails, the
session is over.
"""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

import httpx

from consore_mobile import answers
from consore_mobile.failures import BadCertificate, Failure, Gone, Refused, ServerFault, SignedOut, TooSlow, Unreachable
from consore_mobile.operations import operation

SIGNED_OUT_CODES = {"not_signed_in", "unauthenticated"}
PROBLEMS = {"InputProblem", "NotFound"}
PER_PAGE = 20


class Client:
    """A server, and who is signed in to it. All methods are coroutines of one event loop.

    `authority`: file of the hospital's own certificate authority (PEM), else the machine's usual ones.
    `transport`: for tests, an httpx transport in place of the network.
    """

    def __init__(
        self,
        address: str,
        *,
        language: str = "fr",
        authority: Path | None = None,
        timeout_s: float = 20.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.address = server_address(address)
        self.language = language
        self.session: answers.Session | None = None
        self._renewing = asyncio.Lock()
        verify: ssl.SSLContext | bool = ssl.create_default_context(cafile=str(authority)) if authority else True
        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(timeout_s, connect=min(timeout_s, 6.0)), verify=verify, transport=transport
        )

    async def sign_in(self, login: str, password: str) -> answers.Me:
        """Open a session. Raises Refused for a wrong login or password."""
        self.session = None
        answer = await self._ask("sign_in", {"login": login, "password": password})
        self.session = answers.decode(answers.Session, accepted(answer["signIn"]))
        return self.session.me

    async def sign_out(self) -> None:
        """Close the session, here at once and on the server if it can be reached."""
        session, self.session = self.session, None
        if session:
            try:
                await self._ask("sign_out", {"refreshToken": session.refresh_token}, session=session)
            except Failure:
                return

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def search(self, text: str, criteria: dict[str, Any] | None, page: int) -> answers.SearchResult:
        """One page of patients, from page 1."""
        asked = {"text": text, "criteria": criteria, "page": page, "perPage": PER_PAGE}
        return answers.decode(answers.SearchResult, (await self.call("search", **asked))["search"])

    async def facets(self, text: str, criteria: dict[str, Any] | None) -> list[answers.Facet]:
        """The values by which the search can be narrowed."""
        return answers.decode_list(answers.Facet, (await self.call("facets", text=text, criteria=criteria))["facets"])

    async def suggest(self, prefix: str, limit: int = 6) -> list[answers.Suggestion]:
        """Completions of what is being typed."""
        answer = await self.call("suggest", prefix=prefix, limit=limit)
        return answers.decode_list(answers.Suggestion, answer["suggest"])

    async def patient(self, patient_id: str) -> answers.Patient:
        """A patient's history."""
        return answers.decode(answers.Patient, accepted((await self.call("patient", id=patient_id))["patient"]))

    async def patient_documents(self, patient_id: str, after: str | None = None) -> answers.DocumentPage:
        """A page of a patient's documents, without their text."""
        answer = await self.call("patient_documents", id=patient_id, first=50, after=after)
        page = accepted(answer["patient"])["documents"]
        return answers.DocumentPage(
            total=page["totalCount"],
            documents=[answers.decode(answers.Document, edge["node"]) for edge in page["edges"]],
            after=page["pageInfo"]["endCursor"] if page["pageInfo"]["hasNextPage"] else None,
        )

    async def similar(
        self, patient_id: str, limit: int = 10
    ) -> tuple[answers.PatientLine, list[answers.SimilarPatient]]:
        """The patient, and those who resemble them most, best first."""
        patient = accepted((await self.call("similar", id=patient_id, limit=limit))["patient"])
        similar = answers.decode_list(answers.SimilarPatient, patient["similar"])
        return answers.decode(answers.PatientLine, patient), similar

    async def review_queue(self, kind: str | None = None, after: str | None = None) -> answers.ReviewPage:
        """What deserves a look most, of everybody; `kind` is one of TUMOUR, EVENT, TREATMENT, BIOMARKER, ALTERATION."""
        page = (await self.call("review_queue", first=PER_PAGE, after=after, only=kind))["reviewQueue"]
        return answers.ReviewPage(
            total=page["totalCount"],
            items=[answers.decode(answers.ReviewItem, edge["node"]) for edge in page["edges"]],
            after=page["pageInfo"]["endCursor"] if page["pageInfo"]["hasNextPage"] else None,
        )

    async def item_for_review(self, patient_id: str, key: str) -> answers.ReviewItem:
        """One item of a patient, with what may be corrected of it."""
        answer = await self.call("item_for_review", patientId=patient_id, key=key)
        return answers.decode(answers.ReviewItem, accepted(answer["itemForReview"]))

    async def review_item(self, patient_id: str, key: str, verdict: str, values: dict[str, str] | None = None) -> str:
        """Say CONFIRM, CORRECT or REJECT of an item; gives what takes it back."""
        asked = {"patientId": patient_id, "key": key, "verdict": verdict, "values": values}
        return str(accepted((await self.call("review_item", **asked))["reviewItem"])["id"])

    async def withdraw_review(self, review_id: str) -> None:
        """Take a review back."""
        accepted((await self.call("withdraw_review", id=review_id))["withdrawReview"])

    async def document(self, document_id: str) -> answers.Document:
        """A document with its text and what was recognised in it."""
        return answers.decode(answers.Document, accepted((await self.call("document", id=document_id))["document"]))

    async def cohort_count(self, criteria: dict[str, Any]) -> int:
        """The exact number of patients of this centre."""
        return int(accepted((await self.call("cohort_count", criteria=criteria))["cohortCount"])["count"])

    async def cohorts(self) -> list[answers.Cohort]:
        """The cohorts of this account and those shared in the centre, the newest first."""
        return answers.decode_list(answers.Cohort, (await self.call("cohorts"))["cohorts"])

    async def cohort(self, cohort_id: str) -> answers.Cohort:
        """One cohort. Raises Gone where it is there no more."""
        return answers.decode(answers.Cohort, _there((await self.call("cohort", id=cohort_id))["cohort"]))

    async def cohort_funnel(self, cohort_id: str) -> answers.Funnel:
        """How many patients remain after each criterion."""
        answer = await self.call("cohort_funnel", id=cohort_id)
        return answers.decode(answers.Funnel, accepted(answer["cohortFunnel"]))

    async def cohort_breakdown(self, cohort_id: str) -> answers.Breakdown:
        """Its patients in tables, and the pyramid of ages."""
        answer = await self.call("cohort_breakdown", id=cohort_id)
        return answers.decode(answers.Breakdown, accepted(answer["cohortBreakdown"]))

    async def survival(self, cohort_id: str, endpoint: str) -> answers.Survival:
        """The curve from the diagnosis; `endpoint`: OVERALL or PROGRESSION_FREE."""
        answer = await self.call("survival", id=cohort_id, endpoint=endpoint)
        return answers.decode(answers.Survival, accepted(answer["survival"]))

    async def cohort_patients(self, cohort_id: str, offset: int = 0) -> answers.CohortMembers:
        """A page of its patients."""
        answer = await self.call("cohort_patients", id=cohort_id, first=PER_PAGE, offset=offset)
        return answers.decode(answers.CohortMembers, _there(answer["cohort"])["patients"])

    async def cohort_changes(self, cohort_id: str) -> answers.CohortChanges:
        """Who came and who went with the last refresh."""
        answer = await self.call("cohort_changes", id=cohort_id)
        return answers.decode(answers.CohortChanges, _there(answer["cohort"])["changes"])

    async def save_cohort(self, name: str, criteria: dict[str, Any], shared: bool) -> answers.Cohort:
        """Keep the patients of criteria under a name."""
        answer = await self.call("save_cohort", name=name, criteria=criteria, shared=shared)
        return answers.decode(answers.Cohort, accepted(answer["saveCohort"]))

    async def refresh_cohort(self, cohort_id: str) -> answers.Cohort:
        """Who meets its criteria now."""
        answer = await self.call("refresh_cohort", id=cohort_id)
        return answers.decode(answers.Cohort, accepted(answer["refreshCohort"]))

    async def share_cohort(self, cohort_id: str, shared: bool) -> answers.Cohort:
        """Show a cohort of one's own to the centre, or no more."""
        answer = await self.call("share_cohort", id=cohort_id, shared=shared)
        return answers.decode(answers.Cohort, accepted(answer["shareCohort"]))

    async def delete_cohort(self, cohort_id: str) -> None:
        """Forget a cohort of one's own."""
        await self.call("delete_cohort", id=cohort_id)

    async def trials(self) -> list[answers.Trial]:
        """The trials of this account and those shared in the centre, the newest first."""
        return answers.decode_list(answers.Trial, (await self.call("trials"))["trials"])

    async def trial(self, cohort_id: str) -> answers.Trial:
        """One trial, with who became eligible since its owner last looked, the latest first."""
        return answers.decode(answers.Trial, _there((await self.call("trial", id=cohort_id))["trial"]))

    async def read_protocol(self, text: str) -> answers.Protocol:
        """The eligibility text of a protocol, line by line; nothing is kept."""
        answer = await self.call("read_protocol", text=text)
        return answers.decode(answers.Protocol, accepted(answer["readProtocol"]))

    async def save_trial(self, name: str, text: str, choices: dict[int, bool], shared: bool) -> answers.Trial:
        """Keep a protocol as a trial; `choices`: which lines count, by their place, where not as proposed."""
        said = [{"line": line, "accepted": counts} for line, counts in choices.items()]
        answer = await self.call("save_trial", name=name, text=text, choices=said, shared=shared)
        return answers.decode(answers.Trial, accepted(answer["saveTrial"]))

    async def see_trial(self, cohort_id: str) -> answers.Trial:
        """The newly eligible of a trial of one's own were looked at."""
        answer = await self.call("see_trial", id=cohort_id)
        return answers.decode(answers.Trial, accepted(answer["seeTrial"]))

    async def centres_count(self, criteria: dict[str, Any]) -> answers.CentresCount:
        """The answer of every centre of the network."""
        answer = await self.call("centres_count", criteria=criteria)
        return answers.decode(answers.CentresCount, accepted(answer["federatedCount"]))

    async def request_contact(self, peer: str, criteria: dict[str, Any], purpose: str) -> answers.ContactRequest:
        """Ask the referent of another centre to get in touch."""
        answer = await self.call("request_contact", peerCode=peer, criteria=criteria, purpose=purpose)
        return answers.decode(answers.ContactRequest, accepted(answer["requestContact"]))

    async def contact_requests(self) -> list[answers.ContactRequest]:
        """Requests sent and received."""
        return answers.decode_list(answers.ContactRequest, (await self.call("contact_requests"))["contactRequests"])

    async def sources(self) -> list[answers.Source]:
        """The sources of this centre (admin)."""
        return answers.decode_list(answers.Source, (await self.call("sources"))["sources"])

    async def ingestion_runs(self, source_id: str, first: int = 8) -> list[answers.IngestionRun]:
        """The last runs of a source, newest first (admin)."""
        answer = await self.call("ingestion_runs", sourceId=source_id, first=first)
        return answers.decode_list(answers.IngestionRun, answer["ingestionRuns"])

    async def rejected_reasons(self, source_id: str) -> list[answers.RejectedReason]:
        """Why records of a source were kept aside, the most frequent reason first (admin)."""
        answer = await self.call("rejected_reasons", sourceId=source_id)
        return answers.decode_list(answers.RejectedReason, answer["rejectedReasons"])

    async def rejected_records(
        self, source_id: str, reason: str | None = None, first: int = 50
    ) -> list[answers.RejectedRecord]:
        """Records of a source that were kept aside and still wait, of one reason or all (admin)."""
        answer = await self.call("rejected_records", sourceId=source_id, reason=reason, first=first)
        return answers.decode_list(answers.RejectedRecord, answer["rejectedRecords"])

    async def set_schedule(self, source_id: str, schedule: answers.Schedule) -> answers.Source:
        """Change when a source is read (admin)."""
        answer = await self.call("set_schedule", sourceId=source_id, input=schedule.asked())
        return answers.decode(answers.Source, accepted(answer["setSchedule"]))

    async def schedule_preview(self, schedule: answers.Schedule) -> answers.SchedulePreview:
        """What a schedule would mean (admin). Raises Refused where it cannot be."""
        answer = await self.call("schedule_preview", input=schedule.asked())
        return answers.decode(answers.SchedulePreview, accepted(answer["schedulePreview"]))

    async def cancel_run(self, run_id: str) -> answers.IngestionRun:
        """Stop a run at its next step (admin)."""
        answer = await self.call("cancel_run", runId=run_id)
        return answers.decode(answers.IngestionRun, accepted(answer["cancelRun"]))

    async def replay_rejected(self, source_id: str, reason: str | None = None) -> answers.IngestionRun:
        """Read the records again that were kept aside, of one reason or all (admin)."""
        answer = await self.call("replay_rejected", sourceId=source_id, reason=reason)
        return answers.decode(answers.IngestionRun, accepted(answer["replayRejected"]))

    async def run_ingestion(self, source_id: str) -> answers.IngestionRun:
        """Read a source now, in the background of the server (admin)."""
        answer = await self.call("run_ingestion", sourceId=source_id)
        return answers.decode(answers.IngestionRun, accepted(answer["runIngestion"]))

    async def referentials(self) -> list[answers.Referential]:
        """The code systems in force and the editions that may be (admin)."""
        return answers.decode_list(answers.Referential, (await self.call("referentials"))["referentials"])

    async def activate_edition(self, kind: str, edition: str) -> answers.Referential:
        """Put an imported edition in force, or `shipped` (admin)."""
        answer = await self.call("activate_edition", kind=kind, edition=edition)
        return answers.decode(answers.Referential, accepted(answer["activateEdition"]))

    async def call(self, name: str, /, **variables: Any) -> dict[str, Any]:
        """Send one operation as who is signed in; renew the session once when it has expired.

        Raises a Failure; SignedOut when the session cannot be renewed.
        """
        session = self.session
        if session is None:
            raise SignedOut
        try:
            return await self._ask(name, variables, session=session)
        except SignedOut:
            renewed = await self._renew(session)
        return await self._ask(name, variables, session=renewed)

    async def _renew(self, expired: answers.Session) -> answers.Session:
        async with self._renewing:
            if self.session is None:
                raise SignedOut
            if self.session is not expired:  # another call has renewed it meanwhile
                return self.session
            try:
                answer = await self._ask("refresh", {"refreshToken": expired.refresh_token})
                self.session = answers.decode(answers.Session, accepted(answer["refresh"]))
            except (Refused, SignedOut):
                self.session = None
                raise SignedOut from None
            return self.session

    async def _ask(
        self, name: str, variables: dict[str, Any], session: answers.Session | None = None
    ) -> dict[str, Any]:
        headers = {"Accept-Language": self.language}
        if session:
            headers["Authorization"] = f"Bearer {session.access_token}"
        try:
            response = await self._http.post(
                f"{self.address}/graphql", json={"query": operation(name), "variables": variables}, headers=headers
            )
        except httpx.TimeoutException:
            raise TooSlow from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            raise Unreachable from None
        except httpx.TransportError as error:
            raise (BadCertificate if _is_certificate(error) else Unreachable) from None
        return _content(response)


def server_address(text: str) -> str:
    """The address as typed, made whole: https unless said otherwise or on this very machine, no slash at the end."""
    address = text.strip().rstrip("/").removesuffix("/graphql")
    if "://" not in address:
        host = address.split("/")[0].rsplit(":", 1)[0]
        address = f"{'http' if host in {'localhost', '127.0.0.1'} else 'https'}://{address}"
    return address


def accepted(union: dict[str, Any]) -> dict[str, Any]:
    """The value of an answer that may be a problem instead. Raises Refused with the server's words."""
    if union.get("__typename") in PROBLEMS:
        raise Refused(union["message"], union["hint"], code=union["code"])
    return union


def _there(found: dict[str, Any] | None) -> dict[str, Any]:
    """What was asked for. Raises Gone where it is null."""
    if found is None:
        raise Gone
    return found


def _content(response: httpx.Response) -> dict[str, Any]:
    if response.status_code == httpx.codes.UNAUTHORIZED:
        raise SignedOut
    try:
        body = response.json()
    except ValueError:
        raise ServerFault(code=str(response.status_code)) from None
    errors = body.get("errors") if isinstance(body, dict) else None
    if errors:
        first = errors[0]
        more = first.get("extensions") or {}
        code = str(more.get("code", ""))
        if code in SIGNED_OUT_CODES:
            raise SignedOut
        raise (
            Refused(first.get("message", ""), more.get("hint", ""), code=code)
            if code
            else ServerFault(first.get("message", ""))
        )
    if response.is_error or not isinstance(body, dict) or not body.get("data"):
        raise ServerFault(code=str(response.status_code))
    return body["data"]


def _is_certificate(error: BaseException | None) -> bool:
    while error:
        if isinstance(error, ssl.SSLError) or "certificate" in str(error).lower():
            return True
        error = error.__cause__ or error.__context__
    return False
