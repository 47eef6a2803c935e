"""Dates, times and numbers are written the same way in every language, as in logs and files."""

DATE_FORMAT = SHORT_DATE_FORMAT = "Y-m-d"
TIME_FORMAT = "H:i"
DATETIME_FORMAT = SHORT_DATETIME_FORMAT = "Y-m-d H:i"
DATE_INPUT_FORMATS = ["%Y-%m-%d"]
TIME_INPUT_FORMATS = ["%H:%M:%S", "%H:%M"]
DATETIME_INPUT_FORMATS = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d"]
# Numbers also stand in style sheets and configuration, where only a point is understood.
DECIMAL_SEPARATOR = "."
THOUSAND_SEPARATOR = ""
FIRST_DAY_OF_WEEK = 1
