// Shell: what the product says of its own latency: the messages that its page gets over the control channel.

import type { Page } from "playwright-core";

interface Percentiles {
  p50Us: number;
  p95Us: number;
}

/** The message `latency` of protocol/src/control.rs. */
export interface Told {
  type: "latency";
  estimated: boolean;
  frames: number;
  uncertaintyUs: number;
  glassToGlass: Percentiles;
  stages: ({ stage: string } & Percentiles)[];
}

interface Ear {
  told: Told[];
}

/** In the page, before anything else: hears what comes on the channel `control`, and disturbs nobody. */
function listen(): void {
  const ear: Ear = { told: [] };
  (globalThis as unknown as { ear: Ear }).ear = ear;
  const hear = (channel: RTCDataChannel): void => {
    if (channel.label !== "control") return;
    channel.addEventListener("message", ({ data }) => {
      const message = typeof data === "string" ? (JSON.parse(data) as { type?: string }) : {};
      if (message.type === "latency") ear.told.push(message as Told);
    });
  };
  const Original = RTCPeerConnection;
  globalThis.RTCPeerConnection = class extends Original {
    constructor(configuration?: RTCConfiguration) {
      super(configuration);
      this.addEventListener("datachannel", ({ channel }) => {
        hear(channel);
      });
    }

    override createDataChannel(label: string, options?: RTCDataChannelInit): RTCDataChannel {
      const channel = super.createDataChannel(label, options);
      hear(channel);
      return channel;
    }
  };
}

/** To be called before the page goes anywhere. */
export const hearken = (page: Page): Promise<unknown> => page.addInitScript(listen);

/** What has been said since the last time. */
export const heard = (page: Page): Promise<Told[]> => page.evaluate(() => (globalThis as unknown as { ear?: Ear }).ear?.told.splice(0) ?? []);
