// Dark or light: as the system has it, or as the switch says.

export function themeSwitch() {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const button = document.querySelector("[data-control=theme]");
  let chosen = null;
  function show() {
    const theme = chosen || (dark.matches ? "dark" : "light");
    document.documentElement.dataset.theme = theme;
    button.textContent = theme === "dark" ? "☀ light" : "☾ dark";
  }
  button.addEventListener("click", () => {
    chosen = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    show();
  });
  dark.addEventListener("change", show);
  show();
}
