// Runs before the page is painted, so that a chosen theme never flashes.
(() => {
  const themes = ["auto", "light", "dark"];
  const root = document.documentElement;
  const chosen = () => {
    const kept = localStorage.getItem("mnemolog.theme");
    return themes.includes(kept) ? kept : "auto";
  };
  const apply = (theme) => { root.dataset.theme = theme; };
  apply(chosen());
  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const tell = () => { button.title = `Theme: ${chosen()}`; button.setAttribute("aria-label", `Theme: ${chosen()}`); };
    button.addEventListener("click", () => {
      const next = themes[(themes.indexOf(chosen()) + 1) % themes.length];
      localStorage.setItem("mnemolog.theme", next);
      apply(next);
      tell();
    });
    tell();
  });
})();
