// The list of a gateway's features: each area opens while the search has matches in it.
for (const list of document.querySelectorAll("[data-features]")) {
  const search = list.querySelector("input[type=search]");
  const areas = [...list.querySelectorAll("details")];

  const show = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let total = 0;
    for (const area of areas) {
      let count = 0;
      for (const one of area.querySelectorAll("[data-text]")) {
        const text = one.dataset.text.toLowerCase();
        one.hidden = !words.every((word) => text.includes(word));
        if (!one.hidden) count += 1;
      }
      area.hidden = !count;
      area.open = words.length > 0 && count > 0;
      total += count;
    }
    list.querySelector("[data-none]").hidden = total > 0;
  };

  search.addEventListener("input", show);
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter") event.preventDefault();
  });
}
