"""The closed word lists of the domain. Values are what is written in the store, in JSON and in GraphQL."""

from enum import StrEnum


class Word(StrEnum):
    """A word of a closed list. It hashes as the word that it is: `Enum` hashes its name in Python, ten times slower."""

    __hash__ = str.__hash__


class Sex(Word):
    """OSIRIS `Patient_Gender`, reduced to what the sources carry."""

    MALE = "male"
    FEMALE = "female"
    UNKNOWN = "unknown"


class Laterality(Word):
    """Side of a paired organ (OSIRIS `TumorPathologyEvent_Laterality`)."""

    LEFT = "left"
    RIGHT = "right"
    BILATERAL = "bilateral"
    MIDLINE = "midline"


class DocumentKind(Word):
    """Kinds of clinical documents (*types de comptes rendus*)."""

    CONSULTATION = "consultation"
    MDT = "rcp"  # réunion de concertation pluridisciplinaire
    PATHOLOGY = "pathology"  # compte rendu d'anatomopathologie
    SURGERY = "surgery"  # compte rendu opératoire
    IMAGING = "imaging"
    HOSPITAL_STAY = "hospital_stay"
    DISCHARGE = "discharge"  # lettre de sortie
    CHEMOTHERAPY = "chemotherapy"  # prescription ou cure
    RADIOTHERAPY = "radiotherapy"  # compte rendu de fin de traitement
    MOLECULAR = "molecular"
    BIOLOGY = "biology"
    NURSE = "nurse"
    LETTER = "letter"  # courrier
    OTHER = "other"


class MentionKind(Word):
    """What a span of a report speaks of."""

    TOPOGRAPHY = "topography"
    MORPHOLOGY = "morphology"
    TNM = "tnm"
    STAGE = "stage"
    GRADE = "grade"
    BIOMARKER = "biomarker"
    ALTERATION = "alteration"
    DRUG = "drug"
    REGIMEN = "regimen"
    PROCEDURE = "procedure"
    METASTASIS = "metastasis"
    RECURRENCE = "recurrence"
    RESPONSE = "response"
    LINE = "line"
    DOSE = "dose"
    DATE = "date"
    PERFORMANCE_STATUS = "performance_status"
    LATERALITY = "laterality"
    MEASUREMENT = "measurement"


class Assertion(Word):
    """How the author stands to what is written."""

    PRESENT = "present"
    NEGATED = "negated"
    HYPOTHETICAL = "hypothetical"
    FAMILY = "family"
    HISTORY = "history"


class System(Word):
    """Code systems. Codes are written as the system's publisher writes them (`C50.4`, `8500/3`, `L01FF02`)."""

    ICDO3_T = "ICD-O-3-T"
    ICDO3_M = "ICD-O-3-M"
    CIM10 = "CIM-10"
    CCAM = "CCAM"
    ATC = "ATC"
    HGNC = "HGNC"
    TNM = "TNM"
    LOCAL = "LOCAL"


class EventType(Word):
    """What happens to a tumour or a patient."""

    INITIAL = "initial"
    LOCAL_RECURRENCE = "local_recurrence"
    REGIONAL_RECURRENCE = "regional_recurrence"
    METASTATIC_RECURRENCE = "metastatic_recurrence"
    PROGRESSION = "progression"
    SECOND_CANCER = "second_cancer"
    REMISSION = "remission"
    DEATH = "death"


class TreatmentType(Word):
    """OSIRIS `Treatment_Type`, in the words of the history."""

    SURGERY = "surgery"
    CHEMOTHERAPY = "chemotherapy"
    RADIOTHERAPY = "radiotherapy"
    HORMONOTHERAPY = "hormonotherapy"
    TARGETED = "targeted"
    IMMUNOTHERAPY = "immunotherapy"
    TRANSPLANT = "transplant"
    CELL_THERAPY = "cell_therapy"
    OTHER = "other"


class BiomarkerStatus(Word):
    """Result of a biomarker as a word."""

    POSITIVE = "positive"
    NEGATIVE = "negative"
    HIGH = "high"
    LOW = "low"
    EQUIVOCAL = "equivocal"
    MUTATED = "mutated"
    WILD_TYPE = "wild_type"
    UNKNOWN = "unknown"


class SourceKind(Word):
    """The kinds of extracts of a centre."""

    ADMINISTRATIVE = "administrative"
    PMSI = "pmsi"
    TUMOUR_SHEET = "tumour_sheet"  # fiche tumeur
    CHEMOTHERAPY = "chemotherapy"
    PHARMACY = "pharmacy"
    BIOLOGY = "biology"
    MOLECULAR = "molecular"
    BIOBANK = "biobank"  # centre de ressources biologiques
    DOCUMENTS = "documents"


class Frequency(Word):
    """How often a source is read."""

    MANUAL = "manual"
    NIGHTLY = "nightly"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    CRON = "cron"  # an expression of five fields, crontab(5)


class RunState(Word):
    """State of an ingestion run."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"  # by a person: it is not gone on with
    PAUSED = "paused"  # by a blackout or a worker that stops: it is gone on with


class FailureKind(Word):
    """Whether a failed run may succeed when it is only tried again."""

    PASSING = "passing"
    LASTING = "lasting"


class AlertKind(Word):
    """What an alert tells of a source."""

    FAILED = "failed"
    LATE = "late"
    REJECTIONS = "rejections"


class Role(Word):
    """What an account is for; `access` says what each may do."""

    PHYSICIAN = "physician"
    RESEARCHER = "researcher"  # no identities
    ADMIN = "admin"  # no clinical text
    INTEGRATOR = "integrator"


class EvidenceItem(Word):
    """The derived rows that evidence can stand behind."""

    TUMOUR = "tumour"
    EVENT = "event"
    TREATMENT = "treatment"
    BIOMARKER = "biomarker"
    ALTERATION = "alteration"


class Verdict(Word):
    """What a physician says of an item of a history."""

    CONFIRM = "confirm"
    CORRECT = "correct"  # some of its values are others
    REJECT = "reject"  # it is not so
    ADD = "add"  # it was not found
