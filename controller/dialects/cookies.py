"""Names of the cookies used for authentication by pages, as in the FreeSDN dialect."""

ACCESS_COOKIE = "freesdn_access"
REFRESH_COOKIE = "freesdn_refresh"
CSRF_COOKIE = "freesdn_csrf"
