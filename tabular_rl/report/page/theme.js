// Dark or light: as the system has it, or as the switch says. Paper is light.

export function themeSwitch() {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const button = document.querySelector("[data-control=theme]");
  const paper = window.matchMedia("print");
  let chosen = null;
  function show() {
    const theme = paper.matches ? "light" : chosen || (dark.matches ? "dark" : "light");
    document.documentElement.dataset.theme = theme;
    button.textContent = theme === "dark" ? "☀ light" : "☾ dark";
  }
  button.addEventListener("click", () => {
    chosen = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    show();
  });
  dark.addEventListener("change", show);
  paper.addEventListener("change", show);
  window.addEventListener("beforeprint", () => { document.documentElement.dataset.theme = "light"; });
  window.addEventListener("afterprint", show);
  show();
}
