// @vitest-environment happy-dom
import { beforeEach, describe, expect, it } from "vitest";
import html from "../../index.html?raw";
import { ManualClock } from "../testing";
import { InvitationList, linkOf, type InvitationEvent } from "./invitations";

describe("invitations", () => {
  let clock: ManualClock;
  let root: HTMLElement;
  let list: InvitationList;
  let events: InvitationEvent[];

  const part = (name: string): HTMLElement => {
    const found = root.querySelector<HTMLElement>(`[data-part="${name}"]`);
    if (!found) throw new Error(name);
    return found;
  };
  const rows = (): string[] => [...part("invitations").children].map((row) => [...row.children].map((cell) => cell.textContent).join(" | "));

  beforeEach(() => {
    document.body.innerHTML = new DOMParser().parseFromString(html, "text/html").body.innerHTML;
    root = document.querySelector<HTMLElement>('[data-part="inviting"]') ?? document.body;
    clock = new ManualClock();
    events = [];
    list = new InvitationList(root, clock, (event) => events.push(event));
  });

  it("are for whoever the server lets invite", () => {
    list.show();
    expect(root.hidden).toBe(true);
    list.hear({ type: "invitations", allowed: true, invitations: [] });
    list.show();
    expect(root.hidden).toBe(false);
    list.forget();
    list.show();
    expect(root.hidden).toBe(true);
  });

  it("are asked for as they were chosen, and taken back by their number", () => {
    part("invite").click();
    (part("inviteRole") as HTMLSelectElement).value = "controller";
    (part("inviteSeconds") as HTMLSelectElement).value = "28800";
    part("invite").click();
    list.hear({ type: "invitations", allowed: true, invitations: [{ id: 7, role: "viewer", seconds: 60 }] });
    list.show();
    part("invitations").querySelector("button")?.click();
    expect(events).toEqual([
      { type: "invite", role: "viewer", seconds: 900 },
      { type: "invite", role: "controller", seconds: 28_800 },
      { type: "revoke", id: 7 },
    ]);
  });

  it("say for how long they hold, by the page's own clock", async () => {
    const invitations = [
      { id: 1, role: "viewer", seconds: 900 },
      { id: 2, role: "controller", seconds: 100 },
    ] as const;
    list.hear({ type: "invitations", allowed: true, invitations: [...invitations] });
    list.show();
    expect(rows()).toEqual(["To watch | 15 min left | Revoke", "To take control | 2 min left | Revoke"]);
    const button = part("invitations").querySelector("button");
    await clock.pass(60_000);
    list.show();
    expect(rows()).toEqual(["To watch | 14 min left | Revoke", "To take control | 1 min left | Revoke"]);
    expect(part("invitations").querySelector("button")).toBe(button);
  });

  it("show the link of the newest until it holds no more, and why there is none", () => {
    const link = part("link") as HTMLInputElement;
    list.hear({ type: "invited", id: 3, token: "abc" });
    list.hear({ type: "invitations", allowed: true, invitations: [{ id: 3, role: "viewer", seconds: 60 }] });
    list.show();
    expect([part("linkRow").hidden, link.value]).toEqual([false, linkOf(document.baseURI, "abc")]);
    list.hear({ type: "notInvited", reason: "tooMany" });
    expect(part("notInvited").textContent).toMatch(/Revoke one first/);
    list.hear({ type: "invitations", allowed: true, invitations: [] });
    list.show();
    expect(part("linkRow").hidden).toBe(true);
  });

  it("have links to the page, wherever a proxy has put it", () => {
    expect(linkOf("https://desk.example/work/index.html?x=1#y", "abc")).toBe("https://desk.example/work/?invite=abc");
    expect(linkOf("http://localhost:8080/", "abc")).toBe("http://localhost:8080/?invite=abc");
  });
});
