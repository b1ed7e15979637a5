// @vitest-environment happy-dom
import { beforeEach, describe, expect, it } from "vitest";
import { missing } from "../chrome/curtain";
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
