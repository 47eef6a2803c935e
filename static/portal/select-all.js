// A box in the head of a table that selects every row: <table data-select-all>, <input data-all>.
for (const table of document.querySelectorAll("[data-select-all]")) {
  const all = table.querySelector("[data-all]");
  const boxes = [...table.querySelectorAll("tbody input[type=checkbox]")];
  all.addEventListener("change", () => boxes.forEach((box) => { box.checked = all.checked; }));
  table.addEventListener("change", () => {
    const count = boxes.filter((box) => box.checked).length;
    all.checked = count === boxes.length;
    all.indeterminate = count > 0 && count < boxes.length;
  });
}
