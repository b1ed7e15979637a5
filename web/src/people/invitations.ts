// Shell: invitations: whoever is in control makes links by which others come for a time, sees those that hold, and takes them
// back. A link is shown once, when it is made: the server keeps none.
import { missing, say } from "../chrome/curtain";
import type { Clock } from "../clock";
import { INVITE_QUERY, type Invitation } from "../wire/invitations";
import type { Role, ToPage } from "../wire/protocol";
import { words } from "../words/language";

export type InvitationEvent = { type: "invite"; role: Role; seconds: number } | { type: "revoke"; id: number };
export type InvitationNews = Extract<ToPage, { type: "invitations" | "invited" | "notInvited" }>;

/** The link to the page at this address by which somebody comes with this token. */
export function linkOf(address: string, token: string): string {
  const url = new URL(".", address);
  url.search = `?${INVITE_QUERY}=${token}`;
  return url.href;
}

export class InvitationList {
  #root: HTMLElement;
  #clock: Clock;
  #callback: (event: InvitationEvent) => void;
  #allowed = false;
  #invitations: readonly Invitation[] = [];
  #toldAtMs = 0;
  /** The one whose link is shown. */
  #shown: number | null = null;

  constructor(root: HTMLElement, clock: Clock, callback: (event: InvitationEvent) => void) {
    this.#root = root;
    this.#clock = clock;
    this.#callback = callback;
    this.#part("invite").addEventListener("click", () => {
      const [role, seconds] = [this.#part<HTMLSelectElement>("inviteRole"), this.#part<HTMLSelectElement>("inviteSeconds")];
      callback({ type: "invite", role: role.value === "controller" ? "controller" : "viewer", seconds: Number(seconds.value) });
    });
    this.#part("copyLink").addEventListener("click", () => {
      void this.#copy();
    });
  }

  hear(news: InvitationNews): void {
    switch (news.type) {
      case "invitations":
        this.#allowed = news.allowed;
        this.#invitations = news.invitations;
        this.#toldAtMs = this.#clock.nowMs();
        break;
      case "invited":
        this.#shown = news.id;
        this.#part<HTMLInputElement>("link").value = linkOf(document.baseURI, news.token);
        say(this.#part("copyLink"), words.copyLink);
        say(this.#part("notInvited"), "");
        break;
      case "notInvited":
        say(this.#part("notInvited"), words.notInvited[news.reason]);
        break;
    }
  }

  /** A session begins, of which nothing is known. */
  forget(): void {
    this.#allowed = false;
    this.#invitations = [];
    this.#shown = null;
    this.#part<HTMLInputElement>("link").value = "";
    say(this.#part("notInvited"), "");
  }

  show(): void {
    this.#root.hidden = !this.#allowed;
    this.#part("linkRow").hidden = !this.#invitations.some(({ id }) => id === this.#shown);
    const list = this.#part("invitations");
    // Buttons that are written anew lose the focus.
    const rows = [words.revoke, ...this.#invitations.map(({ id }) => id)].join();
    if (list.dataset.rows !== rows) list.replaceChildren(...this.#invitations.map((invitation) => this.#row(invitation)));
    list.dataset.rows = rows;
    const passedS = (this.#clock.nowMs() - this.#toldAtMs) / 1000;
    list.querySelectorAll("small").forEach((left, index) => {
      say(left, words.minutesLeft(Math.max(1, Math.ceil(((this.#invitations[index]?.seconds ?? 0) - passedS) / 60))));
    });
  }

  #row({ id, role }: Invitation): HTMLElement {
    const row = document.createElement("li");
    row.dataset.role = role;
    const what = row.appendChild(document.createElement("span"));
    what.textContent = role === "controller" ? words.invitedToControl : words.invitedToWatch;
    row.appendChild(document.createElement("small"));
    const revoke = row.appendChild(document.createElement("button"));
    revoke.type = "button";
    revoke.className = "small";
    revoke.textContent = words.revoke;
    revoke.setAttribute("aria-label", `${words.revoke}: ${what.textContent}`);
    revoke.addEventListener("click", () => {
      this.#callback({ type: "revoke", id });
    });
    return row;
  }

  /** A page without TLS may not write to the clipboard: there the link is marked, for the user to copy. */
  async #copy(): Promise<void> {
    const link = this.#part<HTMLInputElement>("link");
    link.select();
    try {
      await navigator.clipboard.writeText(link.value);
      say(this.#part("copyLink"), words.linkCopied);
    } catch {
      link.focus();
    }
  }

  #part<E extends HTMLElement>(name: string): E {
    return this.#root.querySelector<E>(`[data-part="${name}"]`) ?? missing(name);
  }
}
