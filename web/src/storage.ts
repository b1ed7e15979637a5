// Shell: what the browser keeps for the page.

/** A storage that is only asked for when it is needed: a browser that forbids storage throws at the mere name. */
export function lazily(storage: () => Storage): Pick<Storage, "getItem" | "setItem" | "removeItem"> {
  return {
    getItem: (key) => storage().getItem(key),
    setItem: (key, value) => {
      storage().setItem(key, value);
    },
    removeItem: (key) => {
      storage().removeItem(key);
    },
  };
}
