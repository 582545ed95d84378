"""Numbers as one reads them, in pictures and in sentences."""


def short(value: float) -> str:
    """Three digits, or as many as stand before the point: never the exponent of a large number.

    Example:
        >>> short(0.012345), short(45.678), short(999.7), short(1183.4)
        ('0.0123', '45.7', '1,000', '1,183')
    """
    return f"{value:,.0f}" if 999.5 <= abs(value) < 1e15 else f"{value:.3g}"
