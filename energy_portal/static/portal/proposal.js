/** Keeps the loads that a proposal would lead to, as it is adjusted. */

const form = document.querySelector("[data-proposal]");

function count() {
  const taken = new Map();
  for (const choice of form.querySelectorAll("select")) taken.set(choice.value, (taken.get(choice.value) ?? 0) + 1);
  for (const row of form.querySelectorAll("[data-load]")) {
    const would = Number(row.dataset.has) + (taken.get(row.dataset.load) ?? 0);
    const cell = row.querySelector("[data-would]");
    const isTooMuch = would > Number(row.dataset.most);
    cell.textContent = isTooMuch ? `${would}, too many` : would;
    cell.classList.toggle("portal-bad", isTooMuch);
  }
}

form?.addEventListener("change", count);
if (form !== null) count();
