// Decision: how the page writes the name of a codec, which SDP and the server write without a point.

export function codecName(codec: string): string {
  return codec.replace(/^H26(?=[45]$)/, "H.26");
}
