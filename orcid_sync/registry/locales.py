"""The languages of ORCID's pages (contract section 2.4)."""

import re
from typing import Final

LOCALES: Final = (
    *("ar", "cs", "en", "es", "fr", "de", "it", "ja", "ko", "pl", "pt", "ru", "tr"),
    *("zh_CN", "zh_TW"),
)

_BY_NAME: Final = {locale.lower(): locale for locale in LOCALES}


def locale_of(text: str) -> str | None:
    """ORCID's name of a language that people write as de, de-AT, DE or zh-cn; None if ORCID does not have it."""
    name = re.sub(r"[\s_-]+", "_", text.strip()).lower()
    return _BY_NAME.get(name) or _BY_NAME.get(name.partition("_")[0])
