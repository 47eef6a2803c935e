// Tells the portal the time zone of the browser, in which times are shown by default.

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && !document.cookie.split("; ").includes(`muster_time_zone=${zone}`)) {
    const secure = location.protocol === "https:" ? "; Secure" : "";
    // biome-ignore lint/suspicious/noDocumentCookie: not every browser has the Cookie Store API.
    document.cookie = `muster_time_zone=${zone}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
}
