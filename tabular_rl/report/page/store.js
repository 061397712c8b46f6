// What all panels share, and who is told when it changes.

export function createStore(initial) {
  const state = { ...initial };
  const listeners = new Set();
  let waiting = null; // the changes of a `set` that was called while another one is told
  function tell(patch) {
    Object.assign(state, patch);
    for (const listener of [...listeners]) listener(state, patch);
  }
  return {
    state,
    // Changes some fields, then calls each listener with the state and the changes.
    set(patch) {
      if (waiting) {
        waiting.push(patch);
        return;
      }
      waiting = [patch];
      try {
        for (let i = 0; i < waiting.length; i += 1) {
          if (i > 1000) throw new Error("a change of the page causes itself");
          tell(waiting[i]);
        }
      } finally {
        waiting = null;
      }
    },
    // Returns the function that ends it.
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
