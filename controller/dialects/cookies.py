"""The names of the cookies that pages sign in with, as the FreeSDN dialect has them."""

ACCESS_COOKIE = "freesdn_access"
REFRESH_COOKIE = "freesdn_refresh"
CSRF_COOKIE = "freesdn_csrf"
