// A part of a page that is fetched again every second, until it says that it is done.
const PAUSE = 1000;

for (const box of document.querySelectorAll("[data-refresh]")) {
  const again = async () => {
    if (!document.hidden) {
      const answer = await fetch(box.dataset.refresh, { credentials: "same-origin" }).catch(() => null);
      if (answer?.ok) box.innerHTML = await answer.text();
    }
    if (!box.querySelector("[data-refresh-done]")) setTimeout(again, PAUSE);
  };
  setTimeout(again, PAUSE);
}
