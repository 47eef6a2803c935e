"""QR codes of join codes and configurations."""

import io

import segno


def qr_code(text: str) -> str:
    """Return a QR code as inline SVG."""
    out = io.BytesIO()
    segno.make(text, error="m").save(
        out, kind="svg", scale=4, border=2, xmldecl=False, svgns=True, dark="#111827",
        light="#ffffff",
    )  # fmt: skip
    return out.getvalue().decode()
