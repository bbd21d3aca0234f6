"""CDA R2 documents with the header of the French profile: level 1 (a PDF inside), level 3 (sections with entries),
and the molecular report CR-GM.

Sources: HL7 CDA R2 (2005); ANS, CI-SIS *Structuration minimale de documents de santé* and *CR-GM* (2022.01), as their
public examples show them. Only templates whose parts are all there are claimed. Patients have a local identifier
only: a national one would be somebody's.
"""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from consore.synthetic import deltas, files
from consore.synthetic.deltas import Delivery, Item, Molecular
from consore.synthetic.formats.base import Format, Piece
from consore.synthetic.formats.codes import Loinc, author_of, document_type, stamp
from consore.synthetic.formats.site import Site
from consore.synthetic.knowledge import names
from consore.synthetic.trajectory import Care, Life, Tumour

LOINC, CIM10, CCAM, ATC = (
    "2.16.840.1.113883.6.1",
    "2.16.840.1.113883.6.3",
    "1.2.250.1.215.300.1",
    "2.16.840.1.113883.6.73",
)
ICDO3 = "2.16.840.1.113883.6.43.1"
_LEVEL_ONE = ("1.3.6.1.4.1.19376.1.2.20", "")  # IHE XDS-SD: the body is not structured
_CR_GM = ("1.2.250.1.213.1.1.1.32", "2022.01")


def level_one(item: Item, delivery: Delivery, site: Site) -> bytes:
    """A report as a PDF in base64 under the header."""
    report = item.values.report
    pdf = base64.b64encode(files.as_pdf(report.text, report.title)).decode()
    body = f'<nonXMLBody><text mediaType="application/pdf" representation="B64">{pdf}</text></nonXMLBody>'
    return _document(_header_of(item, delivery, site, (_LEVEL_ONE,)) + f"<component>{body}</component>")


def level_three(item: Item, delivery: Delivery, site: Site) -> bytes:
    """A report as sections: its text, then the tumours and the care known at its date, coded (CIM-10, CCAM, ATC)."""
    report = item.values.report
    life = delivery.life
    tumours = [tumour for tumour in life.tumours if tumour.date <= report.date]
    cares = [care for care in life.cares if care.start <= report.date]
    blocks = "".join(f"<paragraph>{escape(line)}</paragraph>" for line in report.text.split("\n") if line.strip())
    sections = [_section("10164-2", "Histoire de la maladie", report.title, blocks, site.uuid(item.key, "text"))]
    if tumours:
        sections.append(_tumours(tumours, item, site))
    if cares:
        sections.append(_cares(cares, item, site))
    return _document(_header_of(item, delivery, site, ()) + _body(sections))


def molecular(item: Item, delivery: Delivery, site: Site) -> bytes:
    """A CR-GM: request, sample, pathology, results by gene, conclusion, method, status."""
    found: Molecular = item.values
    tumour = found.tumour
    day, taken = _time(stamp(found.date, item.key)), f"{tumour.date:%Y%m%d}"
    genes = ", ".join(tumour.alterations)
    told = [(gene, _result(value)) for gene, value in tumour.alterations.items()]
    rows = "".join(
        f'<tr><td>{escape(gene)}</td><td><content ID="r{place}">{escape(result)}</content></td></tr>'
        for place, (gene, result) in enumerate(told)
    )
    entries = "".join(
        f'<component typeCode="COMP"><observation classCode="OBS" moodCode="EVN">'
        f'<id root="{site.uuid(item.key, gene)}"/>'
        f'<code code="48018-6" displayName="Gène étudié" codeSystem="{LOINC}" codeSystemName="LOINC">'
        f'<originalText><reference value="#r{place}"/></originalText></code><statusCode code="completed"/>'
        f'<effectiveTime value="{day}"/><value xsi:type="ST">{escape(f"{gene} : {result}")}</value>'
        "</observation></component>"
        for place, (gene, result) in enumerate(told)
    )
    organizer = (
        '<entry typeCode="COMP"><organizer classCode="BATTERY" moodCode="EVN">'
        f'<id root="{site.uuid(item.key, "battery")}"/>'
        f'<statusCode code="completed"/><effectiveTime value="{day}"/>{entries}</organizer></entry>'
    )
    specimen = f"{item.key}-P1"
    sample = (
        '<entry typeCode="COMP"><procedure classCode="PROC" moodCode="EVN">'
        '<templateId root="1.3.6.1.4.1.19376.1.3.10.4.1"/><templateId root="1.2.250.1.213.1.1.3.100"/>'
        f'<id root="{site.uuid(item.key, "sample")}"/>'
        f'<code code="33882-2" displayName="Prélèvement" codeSystem="{LOINC}" codeSystemName="LOINC"/>'
        f'<statusCode code="completed"/><effectiveTime><high value="{taken}"/></effectiveTime>'
        f'<specimen typeCode="SPC"><specimenRole classCode="SPEC"><id root="{site.oid}.8" extension="{specimen}"/>'
        "</specimenRole></specimen></procedure></entry>"
    )
    conclusion = "; ".join(f"{gene} : {result}" for gene, result in told)
    place, histology = tumour.place.words[0], tumour.histology.words[0]
    authors = names()[site.split]["authors"]
    signature = authors[int(site.dice(item.key) * len(authors))]

    def section(code: str, label: str, title: str, text: str, templates: tuple[str, ...], entry: str = "") -> str:
        return _section(code, label, title, text, site.uuid(item.key, code), entry, templates)

    sections = [
        section(
            "22636-5",
            "Anapath – Informations pertinentes",
            "DEMANDE D'EXAMEN ET MOTIF DE L'ANALYSE",
            f"<paragraph>Recherche d'altérations somatiques : {escape(genes)}.</paragraph>",
            ("1.3.6.1.4.1.19376.1.8.1.2.1", "1.2.250.1.213.1.1.2.165"),
        ),
        section(
            "46059-2",
            "Traitements spéciaux",
            "INFORMATIONS SUR LE PRÉLÈVEMENT",
            f"<paragraph>Prélèvement {specimen} du {tumour.date:%d/%m/%Y}.</paragraph>",
            ("1.3.6.1.4.1.19376.1.8.1.2.6", "1.2.250.1.213.1.1.2.170"),
            sample,
        ),
        section(
            "22634-0",
            "Observation macroscopique",
            "RENSEIGNEMENTS ANATOMOCYTOPATHOLOGIQUES SUR LE PRÉLÈVEMENT",
            f"<paragraph>{escape(histology)}, {escape(place)}.</paragraph>",
            ("1.3.6.1.4.1.19376.1.8.1.2.3", "1.2.250.1.213.1.1.2.167"),
        ),
        section(
            "83321-0",
            "Observation extemporané",
            "RÉSULTATS",
            f"<table><thead><tr><th>Gène</th><th>Résultat</th></tr></thead><tbody>{rows}</tbody></table>",
            ("1.3.6.1.4.1.19376.1.8.1.2.2", "1.2.250.1.213.1.1.2.166"),
            organizer,
        ),
        section(
            "22637-3",
            "Conclusion - Diagnostic",
            "CONCLUSION / INTERPRÉTATION DES RÉSULTATS EN L'ÉTAT ACTUEL DES CONNAISSANCES",
            f"<paragraph>{escape(conclusion)}.</paragraph>",
            ("1.3.6.1.4.1.19376.1.8.1.2.5", "1.2.250.1.213.1.1.2.169"),
        ),
        section(
            "89201-8",
            "Méthode de test de laboratoire moléculaire",
            "MÉTHODE",
            "<paragraph>Séquençage haut débit ciblé sur ADN tumoral extrait du tissu fixé et inclus.</paragraph>",
            ("1.3.6.1.4.1.19376.1.3.10.3.1", "1.2.250.1.213.1.1.2.72"),
        ),
        section(
            "33557-0",
            "Etat d'achèvement",
            "Statut du document",
            "<paragraph>Validé</paragraph>",
            ("1.2.250.1.213.1.1.2.35",),
        ),
    ]
    header = _header(
        delivery.life,
        item.ipp,
        site,
        key=item.key,
        version=1,
        kind=document_type("molecular"),
        title="Compte-rendu de génétique moléculaire (CR-GM)",
        signed=stamp(found.date, item.key),
        signature=signature,
        service=Loinc("51956-1", "Examen de génétique moléculaire", ""),
        begun=tumour.date,
        templates=(_CR_GM,),
    )
    return _document(header + _body(sections))


def _result(value: str) -> str:
    plain = {"wild_type": "absence de mutation détectée", "negative": "négatif", "positive": "positif"}
    return plain.get(value, f"mutation {value}")


def _tumours(tumours: list[Tumour], item: Item, site: Site) -> str:
    rows, entries = [], []
    for tumour in tumours:
        anchor, organ, histology = f"t{tumour.rank}", tumour.place.words[0], tumour.histology.words[0]
        rows.append(
            f'<tr><td>{tumour.date:%d/%m/%Y}</td><td><content ID="{anchor}">'
            f"{escape(histology)}, {escape(organ)}</content></td>"
            f"<td>{escape(tumour.ptnm or tumour.ctnm or '')}</td><td>{escape(tumour.stage)}</td></tr>"
        )
        entries.append(
            '<entry><observation classCode="OBS" moodCode="EVN">'
            f'<id root="{site.uuid(item.key, anchor)}"/>'
            f'<code code="29308-4" displayName="Diagnostic" codeSystem="{LOINC}" codeSystemName="LOINC"/>'
            f'<text><reference value="#{anchor}"/></text><statusCode code="completed"/>'
            f'<effectiveTime><low value="{tumour.date:%Y%m%d}"/></effectiveTime>'
            f'<value xsi:type="CD" code="{tumour.cancer.cim10}" displayName={quoteattr(organ)} codeSystem="{CIM10}" '
            f'codeSystemName="CIM-10"><translation code="{tumour.histology.code}" displayName={quoteattr(histology)} '
            f'codeSystem="{ICDO3}" codeSystemName="CIM-O-3"/></value></observation></entry>'
        )
    table = (
        "<table><thead><tr><th>Date</th><th>Tumeur</th><th>TNM</th><th>Stade</th></tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table>"
    )
    return _section(
        "72135-7", "Diagnostic du cancer", "TUMEUR", table, site.uuid(item.key, "tumours"), "".join(entries)
    )


def _cares(cares: list[Care], item: Item, site: Site) -> str:
    rows, entries = [], []
    for place, care in enumerate(cares):
        anchor = f"c{place}"
        words = care.act.words[0] if care.act else ", ".join(drug.name for drug in care.drugs) or "radiothérapie"
        end = f'<high value="{care.end:%Y%m%d}"/>' if care.end and care.end <= item.values.report.date else ""
        when = f'<effectiveTime xsi:type="IVL_TS"><low value="{care.start:%Y%m%d}"/>{end}</effectiveTime>'
        rows.append(f'<tr><td>{care.start:%d/%m/%Y}</td><td><content ID="{anchor}">{escape(words)}</content></td></tr>')
        reference = (
            f'<text><reference value="#{anchor}"/></text><statusCode code="{"completed" if end else "active"}"/>'
        )
        if care.drugs:
            entries += [
                '<entry><substanceAdministration classCode="SBADM" moodCode="EVN">'
                f'<id root="{site.uuid(item.key, anchor, drug.atc, drug.name)}"/>{reference}{when}<consumable>'
                '<manufacturedProduct classCode="MANU"><manufacturedMaterial>'
                f'<code code="{drug.atc}" displayName={quoteattr(drug.name)} codeSystem="{ATC}" codeSystemName="ATC"/>'
                "</manufacturedMaterial></manufacturedProduct></consumable></substanceAdministration></entry>"
                for drug in care.drugs
            ]
        else:
            code = (
                f'<code code="{care.act.code}" displayName={quoteattr(words)} codeSystem="{CCAM}" '
                'codeSystemName="CCAM"/>'
                if care.act
                else '<code nullFlavor="OTH"><originalText>Radiothérapie</originalText></code>'
            )
            entries.append(
                '<entry><procedure classCode="PROC" moodCode="EVN">'
                f'<id root="{site.uuid(item.key, anchor)}"/>{code}{reference}{when}'
                "</procedure></entry>"
            )
    table = f"<table><thead><tr><th>Début</th><th>Traitement</th></tr></thead><tbody>{''.join(rows)}</tbody></table>"
    return _section("29554-3", "Actes", "TRAITEMENTS", table, site.uuid(item.key, "cares"), "".join(entries))


def _section(
    code: str, label: str, title: str, text: str, identifier: str, entries: str = "", templates: tuple[str, ...] = ()
) -> str:
    claimed = "".join(f'<templateId root="{template}"/>' for template in templates)
    return (
        f'<component><section>{claimed}<id root="{identifier}"/>'
        f'<code code="{code}" displayName={quoteattr(label)} codeSystem="{LOINC}" codeSystemName="LOINC"/>'
        f"<title>{escape(title)}</title><text>{text}</text>{entries}</section></component>"
    )


def _body(sections: list[str]) -> str:
    return f"<component><structuredBody>{''.join(sections)}</structuredBody></component>"


def _header_of(item: Item, delivery: Delivery, site: Site, templates: tuple[tuple[str, str], ...]) -> str:
    report = item.values.report
    kind = document_type(report.kind)
    return _header(
        delivery.life,
        item.ipp,
        site,
        key=item.key,
        version=item.values.version,
        kind=kind,
        title=report.title,
        signed=stamp(report.date, item.key),
        signature=report.author,
        service=kind,
        begun=report.date,
        templates=templates,
    )


def _header(
    life: Life,
    ipp: str,
    site: Site,
    *,
    key: str,
    version: int,
    kind: Loinc,
    title: str,
    signed: dt.datetime,
    signature: str,
    service: Loinc,
    begun: dt.date,
    templates: tuple[tuple[str, str], ...],
) -> str:
    sex = ("M", "Masculin") if life.sex == "M" else ("F", "Féminin")
    claimed = "".join(
        f'<templateId root="{root}"' + (f' extension="{extension}"/>' if extension else "/>")
        for root, extension in (("2.16.840.1.113883.2.8.2.1", ""), ("1.2.250.1.213.1.1.1.1", ""), *templates)
    )
    given, birth, usual = (
        escape(life.given_name.upper()),
        escape(life.birth_name.upper()),
        escape(life.family_name.upper()),
    )
    who = _professional(signature, kind)
    organisation = _organisation(site)
    time = _time(signed)
    replaced = (
        '<relatedDocument typeCode="RPLC"><parentDocument>'
        f'<id root="{document_oid(site, key, version - 1)}"/></parentDocument></relatedDocument>'
        if version > 1
        else ""
    )
    return (
        f'<realmCode code="FR"/><typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>{claimed}'
        f'<id root="{document_oid(site, key, version)}"/>'
        f'<code code="{kind.code}" displayName={quoteattr(kind.label)} codeSystem="{LOINC}" codeSystemName="LOINC"/>'
        f'<title>{escape(title)}</title><effectiveTime value="{time}"/>'
        '<confidentialityCode code="N" displayName="Normal" codeSystem="2.16.840.1.113883.5.25"/>'
        f'<languageCode code="fr-FR"/><setId root="{_set(site, key)}"/><versionNumber value="{version}"/>'
        f'<recordTarget><patientRole><id extension="{escape(ipp)}" root="{site.oid}.1"/>'
        f"<addr><postalCode>{escape(life.postcode)}</postalCode><city>{escape(life.town.upper())}</city></addr>"
        f'<telecom nullFlavor="NASK"/><patient classCode="PSN"><name><family qualifier="BR">{birth}</family>'
        f'<given>{given}</given><given qualifier="BR">{given}</given><family qualifier="CL">{usual}</family>'
        f'<given qualifier="CL">{given}</given></name><administrativeGenderCode code="{sex[0]}" displayName="{sex[1]}" '
        f'codeSystem="2.16.840.1.113883.5.1"/><birthTime value="{life.birth:%Y%m%d}"/></patient></patientRole>'
        "</recordTarget>"
        f'<author><time value="{time}"/><assignedAuthor>{who}{organisation}</assignedAuthor></author>'
        "<custodian><assignedCustodian><representedCustodianOrganization>"
        f'<id root="1.2.250.1.71.4.2.2" extension="1{site.finess}"/><name>{escape(site.name)}</name>'
        '<telecom nullFlavor="NASK"/><addr nullFlavor="NASK"/></representedCustodianOrganization></assignedCustodian>'
        "</custodian>"
        f'<legalAuthenticator><time value="{time}"/><signatureCode code="S"/>'
        f"<assignedEntity>{who}{organisation}</assignedEntity></legalAuthenticator>"
        '<documentationOf><serviceEvent classCode="ACT">'
        f'<code code="{service.code}" displayName={quoteattr(service.label)} codeSystem="{LOINC}" '
        f'codeSystemName="LOINC"/><effectiveTime><low value="{begun:%Y%m%d}"/><high value="{time}"/></effectiveTime>'
        f'<performer typeCode="PRF"><assignedEntity>{who}{organisation}</assignedEntity></performer>'
        f"</serviceEvent></documentationOf>{replaced}"
        '<componentOf><encompassingEncounter><code code="AMB" displayName="Ambulatoire (hors établissement)" '
        f'codeSystem="2.16.840.1.113883.5.4"/><effectiveTime><low value="{begun:%Y%m%d}"/></effectiveTime>'
        '<location><healthCareFacility><code code="SA01" displayName="Etablissement public de santé" '
        f'codeSystem="1.2.250.1.71.4.2.4"/><location><name>{escape(site.name)}</name></location></healthCareFacility>'
        "</location></encompassingEncounter></componentOf>"
    )


def document_oid(site: Site, key: str, version: int) -> str:
    """The identifier of a version of a document, as an OID."""
    return f"{_set(site, key)}.{version}"


def _set(site: Site, key: str) -> str:
    """What the versions of a document have in common: documents and molecular reports are numbered apart."""
    arc = 2 if key.startswith("DOC") else 5
    return f"{site.oid}.{arc}.{int(''.join(letter for letter in key if letter.isdigit()))}"


def _professional(signature: str, kind: Loinc) -> str:
    who = author_of(signature)
    code, label = _SPECIALTIES.get(kind.code, _ONCOLOGY)
    suffix = f"<suffix>{escape(who.suffix)}</suffix>" if who.suffix else ""
    return (
        f'<id root="1.2.250.1.71.4.2.1" extension="8{who.rpps}"/>'
        f'<code code="{code}" displayName="{label}" codeSystem="1.2.250.1.213.1.1.4.5"/>'
        '<addr nullFlavor="NASK"/><telecom nullFlavor="NASK"/><assignedPerson>'
        "<name>"
        f"<given>{escape(who.given)}</given><family>{escape(who.family.upper())}</family>{suffix}</name>"
        "</assignedPerson>"
    )


# Specialties of those who sign, by LOINC type of document.
_ONCOLOGY = ("G15_10/SM36", "Médecin - Oncologie, opt médicale (SM)")
_SPECIALTIES = {
    "11526-1": ("G15_10/SM01", "Médecin - Anatomie et Cytologie pathologiques (SM)"),
    "18748-4": ("G15_10/SM44", "Médecin - Radio-diagnostic (SM)"),
    "51969-4": ("G15_10/DSM205", "Médecin - Biologie moléculaire (DNQ)"),
}


def _organisation(site: Site) -> str:
    return (
        f'<representedOrganization><id root="1.2.250.1.71.4.2.2" extension="1{site.finess}"/>'
        f'<name>{escape(site.name)}</name><standardIndustryClassCode code="ETABLISSEMENT" '
        'displayName="Etablissement de santé" codeSystem="1.2.250.1.213.1.1.4.9"/></representedOrganization>'
    )


def _time(moment: dt.datetime) -> str:
    return f"{moment:%Y%m%d%H%M%S%z}"


def _document(content: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<ClinicalDocument xmlns="urn:hl7-org:v3" '
        f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">{content}</ClinicalDocument>\n'
    ).encode()


def _write(delivery: Delivery, site: Site) -> Iterator[Piece]:
    for item in delivery.tables[deltas.MOLECULAR]:
        yield f"cda/{site.folder(delivery.number)}{item.key}.xml", molecular(item, delivery, site)


MOLECULAR = Format("molecular_cda", "molecular reports as CDA CR-GM", _write)
