// Shell: the simulated NVIDIA driver of tests/nvenc_driver in a place where a process finds it, and its faults. GStreamer's
// own nvcodec plugin then has its encoders on a machine without a GPU.

import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { built } from "./launcher.js";

/** The names under which its library is looked for: CUDA, NVENC, NVML. */
const NAMES = ["libcuda.so.1", "libnvidia-encode.so.1", "libnvidia-ml.so.1"];

export class SimulatedDriver {
  private readonly folder = mkdtempSync(join(tmpdir(), "vdi-driver-"));
  /** What a process needs in its environment. */
  readonly env: Record<string, string>;

  /** `words`: faults that hold from the start, as tests/nvenc_driver/src/faults.rs has them. */
  constructor(words = "") {
    for (const name of NAMES) symlinkSync(built("libnvenc_driver_sim.so"), join(this.folder, name));
    this.fault(words);
    this.env = {
      LD_LIBRARY_PATH: this.folder,
      NVENC_SIM_CONTROL: join(this.folder, "faults"),
      // The machine's own registry knows no such encoders, and must not learn of them. The same holds for proofs.
      GST_REGISTRY: join(this.folder, "registry.bin"),
      XDG_RUNTIME_DIR: this.folder,
      // nvh264enc asks for an OpenGL display that nobody needs.
      GST_GL_PLATFORM: "egl",
      GST_GL_WINDOW: "surfaceless",
    };
  }

  /** From now on these faults hold, and no others. */
  fault(words: string): void {
    // In one step: the driver reads the file at every call.
    writeFileSync(join(this.folder, "next"), words);
    renameSync(join(this.folder, "next"), join(this.folder, "faults"));
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
