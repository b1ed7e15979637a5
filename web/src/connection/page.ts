// Setup: what the browser tells of its page and its network, for the connection.
import type { Media } from "../picture/media";
import type { Connection } from "./connection";

export function followPage(connection: Connection, media: Pick<Media, "resume">): void {
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState !== "visible") return;
    connection.wake();
    media.resume();
  });
  window.addEventListener("online", () => {
    connection.networkChanged();
  });
  // Where browsers tell of it: from Wi-Fi to cable, for example.
  (navigator as { connection?: EventTarget }).connection?.addEventListener("change", () => {
    connection.networkChanged();
  });
  window.addEventListener("pagehide", () => {
    connection.stop();
  });
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) connection.start();
  });
}
