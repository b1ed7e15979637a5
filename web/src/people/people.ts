// Shell: who is here, what they are called, and the handing over of control: who wants it asks, who has it gives or keeps it.
import { missing, say } from "../chrome/curtain";
import type { Clock } from "../clock";
import { InvitationList, type InvitationEvent, type InvitationNews } from "./invitations";
import type { People, Person, Role } from "../wire/protocol";
import { words } from "../words/language";

export type PeopleEvent = InvitationEvent | { type: "giveControl"; consumer: string } | { type: "keepControl" } | { type: "name"; name: string };

export interface Places {
  /** The part of the panel. */
  readonly root: HTMLElement;
  /** Where it is asked for control. */
  readonly asked: HTMLElement;
  /** The button of those who watch. */
  readonly takeControl: HTMLButtonElement;
}

/** What somebody is called, by a number where nothing was said. */
export function called({ name, consumer }: Person, people: readonly Person[]): string {
  return name === "" ? words.somebody(people.findIndex((one) => one.consumer === consumer) + 1) : name;
}

export class PeopleList {
  #places: Places;
  #callback: (event: PeopleEvent) => void;
  #told: People | null = null;
  #name: HTMLInputElement;
  #invitations: InvitationList;

  constructor(places: Places, name: string, clock: Clock, callback: (event: PeopleEvent) => void) {
    this.#places = places;
    this.#callback = callback;
    this.#invitations = new InvitationList(part(places.root, "inviting"), clock, callback);
    const input = places.root.querySelector<HTMLInputElement>('[data-part="ownName"]') ?? missing("ownName");
    this.#name = input;
    input.value = name;
    input.addEventListener("change", () => {
      callback({ type: "name", name: input.value.trim() });
    });
    part(places.asked, "give").addEventListener("click", () => {
      if (this.#told?.asking !== undefined) callback({ type: "giveControl", consumer: this.#told.asking });
    });
    part(places.asked, "keep").addEventListener("click", () => {
      callback({ type: "keepControl" });
    });
  }

  /** Everybody who is here, as far as the server has told. */
  get present(): readonly Person[] {
    return this.#told?.people ?? [];
  }

  /** What is called who is in control, other than this page; `null` if that is nobody, or not told. */
  inControl(own: string | null): string | null {
    const other = this.present.find(({ consumer, role }) => role === "controller" && consumer !== own);
    return other ? called(other, this.present) : null;
  }

  /** The server tells who is here; `null` as long as it does not. */
  told(people: People | null): void {
    // To the server each session begins without a name.
    const begins = people !== null && this.#told === null;
    this.#told = people;
    if (people === null) this.#invitations.forget();
    if (begins && this.#name.value !== "") this.#callback({ type: "name", name: this.#name.value.trim() });
  }

  /** The server tells who is here, or of invitations. */
  hear(news: ({ type: "people" } & People) | InvitationNews): void {
    if (news.type === "people") this.told(news);
    else this.#invitations.hear(news);
  }

  show(own: string | null, role: Role | null): void {
    const { root, asked, takeControl } = this.#places;
    const { people = [], asks = false, asking } = this.#told ?? {};
    const asker = role === "controller" ? people.find(({ consumer }) => consumer === asking) : undefined;
    asked.hidden = asker === undefined;
    if (asker) say(part(asked, "who"), words.asksForControl(called(asker, people)));
    this.#invitations.show();
    // Whoever may never have control is not offered it.
    takeControl.hidden = people.find(({ consumer }) => consumer === own)?.viewOnly === true;
    takeControl.disabled = asks && asking !== undefined;
    say(takeControl, !asks ? words.takeControl : asking === own ? words.asking : words.askForControl);
    const rows = people.map((person) => [person.consumer, called(person, people), person.role, String(person.viewOnly), String(person.consumer === own), role ?? ""].join("\n"));
    const list = part(root, "people");
    // Buttons that are written anew lose the focus.
    if (list.dataset.rows === rows.join("\n\n") + words.giveControl) return;
    list.dataset.rows = rows.join("\n\n") + words.giveControl;
    list.replaceChildren(...people.map((person) => this.#row(person, called(person, people), person.consumer === own, role === "controller")));
  }

  #row({ consumer, role, viewOnly = false }: Person, name: string, isOwn: boolean, mayGive: boolean): HTMLElement {
    const row = document.createElement("li");
    row.dataset.role = role;
    const text = row.appendChild(document.createElement("span"));
    text.textContent = isOwn ? words.ownPage(name) : name;
    const what = row.appendChild(document.createElement("small"));
    what.textContent = role === "controller" ? words.hasControl : viewOnly ? words.mayOnlyWatch : words.watches;
    if (mayGive && !isOwn && !viewOnly) {
      const give = row.appendChild(document.createElement("button"));
      give.type = "button";
      give.className = "small";
      give.textContent = words.giveControl;
      give.setAttribute("aria-label", `${words.giveControl}: ${name}`);
      give.addEventListener("click", () => {
        this.#callback({ type: "giveControl", consumer });
      });
    }
    return row;
  }
}

function part(root: HTMLElement, name: string): HTMLElement {
  return root.querySelector<HTMLElement>(`[data-part="${name}"]`) ?? missing(name);
}
