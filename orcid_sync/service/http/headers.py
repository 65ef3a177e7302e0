"""The security headers of all pages: what they may load, that nothing frames, stores or reads them."""

from collections.abc import Mapping


def page_headers(policy: Mapping[str, str], *, referrer: str) -> dict[str, str]:
    """Headers of a page: nothing but what the content policy names, in no frame, kept by no browser or proxy.

    `referrer` is the referrer policy. With no-referrer, browsers do not say either where a form was posted from.
    """
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Referrer-Policy": referrer,
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    }
