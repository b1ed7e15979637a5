// @vitest-environment happy-dom
import { readdirSync, readFileSync } from "node:fs";
import { beforeEach, describe, expect, it } from "vitest";
import { missing } from "../chrome/curtain";
import html from "../../index.html?raw";
import { RecordingControl } from "./recording";

let button: HTMLButtonElement;
let mark: HTMLElement;
let notices: string[];
let wishes: boolean[];
let control: RecordingControl;

function found<E extends HTMLElement>(selector: string): E {
  return document.querySelector<E>(selector) ?? missing(selector);
}

beforeEach(() => {
  document.body.innerHTML = '<button id="record" hidden><span></span></button><div id="recorded" hidden></div>';
  button = found("button");
  mark = found("#recorded");
  [notices, wishes] = [[], []];
  control = new RecordingControl(button, mark, { add: (_, text) => notices.push(text) }, (on) => wishes.push(on));
  control.show(true);
});

const told = (onRequest: boolean, running: boolean, controls: boolean): void => {
  control.hear({ type: "recording", onRequest, running });
  control.show(controls);
};

describe("the recording", () => {
  it("has a button only where the controller may have the session recorded, and a mark only while it is", () => {
    expect([button.hidden, mark.hidden]).toEqual([true, true]);
    told(true, false, true);
    expect([button.hidden, button.disabled, button.textContent, mark.hidden]).toEqual([false, false, "Record", true]);
    told(true, true, true);
    expect([button.hidden, button.getAttribute("aria-pressed"), button.textContent, mark.hidden]).toEqual([false, "true", "Stop recording", false]);
    told(false, true, true);
    expect([button.hidden, mark.hidden]).toEqual([true, false]);
    control.forget();
    control.show(true);
    expect(mark.hidden).toBe(true);
  });

  it("shows what the server says, and not what was clicked", () => {
    told(true, false, true);
    button.click();
    expect([wishes, mark.hidden]).toEqual([[true], true]);
    told(true, true, true);
    button.click();
    expect([wishes, mark.hidden]).toEqual([[true, false], false]);
  });

  it("is for who only watches to see, and not to stop", () => {
    told(true, true, false);
    expect([button.disabled, mark.hidden]).toEqual([true, false]);
  });

  it("says why it has ended although nobody wanted that", () => {
    control.hear({ type: "recordingFailed", reason: "diskFull" });
    expect(notices).toEqual(["The recording has ended: the server’s disk is full."]);
  });
});

describe("the mark of it", () => {
  const source = `${import.meta.dirname}/..`;
  const own = readFileSync(`${source}/recording/recording.css`, "utf8");
  const others = readdirSync(source, { encoding: "utf8", recursive: true }).filter((name) => name.endsWith(".css") && !name.endsWith("recording.css"));
  const levels = (css: string): number[] => [...css.matchAll(/z-index: (\d+)/g)].map((match) => Number(match[1]));

  it("is above all that the page lays over the picture, and in nothing that is below anything", () => {
    document.body.innerHTML = /<body>([^]*)<\/body>/.exec(html)?.[1] ?? "";
    expect(found("#recorded").parentElement).toBe(document.body);
    const besides = others.flatMap((name) => levels(readFileSync(`${source}/${name}`, "utf8")));
    expect([levels(own).length, besides.length > 2, Math.max(...besides) < Math.max(...levels(own))]).toEqual([1, true, true]);
  });

  it("has the notices begin below it, on every size", () => {
    const everywhere = own.replace(/@media[^{]*\{(?:[^{}]*\{[^}]*\})*\s*\}/g, "");
    expect(everywhere).toMatch(/#recorded:not\(\[hidden\]\)\) #notices \{\s*top: var\(--below-mark/);
  });
});
