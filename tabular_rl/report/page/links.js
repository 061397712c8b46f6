// Parts that mean the same light up together: hovering over a number marks it in the formula and in the tree too.
//
// data-link="p:12" is the p of outcome 12, "p" every p, "o:12" all that belongs to outcome 12, "q:3" the q of row 3.
// data-next is the state that a part is about; it lights up in the picture.

export function linked(one, two) {
  const [kind, id] = one.split(":");
  const [otherKind, otherId] = two.split(":");
  if (one === two) return true;
  if (kind === otherKind) return id === undefined || otherId === undefined;
  return id !== undefined && id === otherId && ["o", "p", "r", "v"].includes(kind) && ["o", "p", "r", "v"].includes(otherKind) && (kind === "o" || otherKind === "o");
}

// Watches all [data-link] in host.
export function watchLinks(store, host) {
  function mark(link) {
    for (const part of host.querySelectorAll("[data-link]")) {
      part.classList.toggle("linked", link !== null && linked(link, part.dataset.link));
    }
  }
  function over(event) {
    const part = event.target.closest("[data-link]");
    mark(part ? part.dataset.link : null);
    const about = event.target.closest("[data-next]");
    const hovered = about ? Number(about.dataset.next) : null;
    if (hovered !== store.state.hovered) store.set({ hovered });
  }
  host.addEventListener("pointerover", over);
  host.addEventListener("focusin", over);
  host.addEventListener("pointerleave", () => {
    mark(null);
    if (store.state.hovered !== null) store.set({ hovered: null });
  });
  store.subscribe((state, patch) => {
    if (!("hovered" in patch)) return;
    for (const part of host.querySelectorAll("[data-next]")) {
      part.classList.toggle("about", Number(part.dataset.next) === state.hovered);
    }
  });
}
