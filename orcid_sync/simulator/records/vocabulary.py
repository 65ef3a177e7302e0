"""Words for fictitious researchers: names that everybody knows to be invented, organisations that do not exist."""

PEOPLE: tuple[tuple[str, str | None], ...] = (
    ("Max", "Mustermann"),
    ("Erika", "Musterfrau"),
    ("Jane", "Sampleton"),
    ("John Q.", "Placeholder"),
    ("Иван", "Примеров"),
    ("Мария", "Образцова"),
    ("三", "张"),
    ("四", "李"),
    ("太郎", "見本"),
    ("はなこ", "みほん"),
    ("길동", "홍"),
    ("فلان", "الفلاني"),
    ("ישראל", "ישראלי"),
    ("Παράδειγμα", "Δοκιμαστικόπουλος"),
    ("Żaneta", "Przykładowska"),
    ("Søren", "Prøvesen"),
    ("Fulano", "de Tal y Ejemplo"),
    ("Ayşe", "Örnekoğlu"),
    ("Nguyễn Văn", "Mẫu"),
    ("Test-Anna  ", " O'Fictitious-Smythe"),
)
SINGLE_NAMES = ("Exemplia", "Specimenko")

Organization = tuple[str, str | None, str | None, str | None, str | None, str | None]

ORGANIZATIONS: tuple[Organization, ...] = (
    ("University of Nowhere", "Nowhere", "Erewhon", "NZ", "https://ror.org/00sim0001", "ROR"),
    ("Universität Musterstadt", "Musterstadt", None, "DE", "https://ror.org/00sim0002", "ROR"),
    ("Institut d'Exemples Appliqués", "Villeneuve-sur-Exemple", None, "FR", "grid.990001.1", "GRID"),
    ("Imaginary Institute of Technology", "Springfield", "XX", "US", "990002", "RINGGOLD"),
    ("Академия вымышленных наук", "Примерск", None, "RU", "990003", "RINGGOLD"),
    ("架空大学", "見本市", "架空県", "JP", "https://ror.org/00sim0003", "ROR"),
    ("جامعة المثال", "مدينة المثال", None, "EG", None, None),
    ("St. Placeholder's Hospital ", "London", "", "GB", "grid.990004.9", "GRID"),
    ("Laboratory without Address", None, None, None, None, None),
)
FUNDERS: tuple[Organization, ...] = (
    ("Fictitious Research Council", "Musterstadt", None, "DE", "http://dx.doi.org/10.13039/990000001", "FUNDREF"),
    ("National Foundation for Examples", "Springfield", None, "US", "http://dx.doi.org/10.13039/990000002", "FUNDREF"),
    ("Placeholder Trust", "London", None, "GB", "https://ror.org/00sim0009", "ROR"),
    ("Specimen Holding SE", "Luxembourg", None, "LU", "5299000SIMULATED0001", "LEI"),
)

SUBJECTS = (
    *("magnetic anisotropy", "seed dispersal", "medieval notaries", "Bayesian networks", "coral bleaching"),
    *("glacial meltwater", "protein folding", "urban foxes", "topological insulators", "maternal health"),
    *("dark matter halos", "soil microbiomes", "parliamentary rhetoric", "graph colouring", "sleep deprivation"),
    *("нейронные сети", "機械学習", "القانون المقارن", "perovskite solar cells", "tool use in crows"),
)
METHODS = (
    *("A survey of", "Measuring", "On the origin of", "Towards a theory of", "Rethinking", "Evidence for"),
    *("Long-term trends in", "A randomised trial on", "Simulation of", "Notes on"),
)
SETTINGS = (
    *("in alpine environments", "under uncertainty", "in the twentieth century", "at low temperature"),
    *("a systematic review", "in rural communities", "revisited", "from satellite data"),
)
JOURNALS = (
    *("Journal of Simulated Results", "Annals of Placeholder Studies", "Proceedings of the Imaginary Society"),
    *("Zeitschrift für Beispielforschung", "Письма в журнал примеров", "Acta Specimena", "Letters on Examples"),
)
WORK_TYPES = (
    *("journal-article",) * 12,
    *("conference-paper",) * 4,
    *("book-chapter", "book", "preprint", "preprint", "data-set", "dissertation-thesis", "report", "other"),
    *("software", "review", "edited-book", "patent", "lecture-speech", "working-paper", "online-resource"),
)
DEPARTMENTS = (
    *("Physics", "Department of History", "Faculty of Medicine", "School of Computing & Informatics", "経済学部"),
    *("Institut für Geologie",),
)
ROLES = ("Professor", "Postdoc", "Research Fellow", "Wissenschaftliche Mitarbeiterin", "Доцент", "Head of Laboratory")
DEGREES = ("PhD", "MSc", "Bachelor of Science", "Dr. rer. nat.", "Диплом")
DISTINCTIONS = ("Medal for Fictitious Merit", "Honorary doctorate", "Best Placeholder Paper")
COUNTRIES = ("DE", "US", "NZ", "JP", "RU", "BR", "EG", "GB", "FR", "CN")
LANGUAGES = ("en", "de", "fr", "ja", "ru", "zh_CN", None, None)
SIGN_IN_LANGUAGES = (*("ar", "cs", "en", "es", "fr", "de", "it", "ja", "ko", "pl", "pt", "ru", "tr", "zh_CN", "zh_TW"),)
"""What `lang` may say (contract section 2.4)."""
LOCALES = ("en", "en", "en", "de", "fr", "ja", "ru", "es", "pt", "zh_CN", "xx")
RESOURCES = ("Giant Simulated Laser", "Imaginary Beamline 7", "Placeholder Supercomputer", "Archive of Examples")

SOURCES = {
    "APP-SIMSOURCE0000001": "Simulated DOI Registry",
    "APP-SIMSOURCE0000002": "Simulated Citation Index",
    "APP-SIMSOURCE0000003": "Simulated Data Repository",
    "APP-SIMSOURCE0000004": "Simulated Review Service",
    "APP-SIMSOURCE0000005": "Simulated Funder Portal",
}
DOI_REGISTRY, CITATION_INDEX, DATA_REPOSITORY, REVIEW_SERVICE, FUNDER_PORTAL = SOURCES
