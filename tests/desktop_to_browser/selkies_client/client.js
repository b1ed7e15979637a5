// A client of the Selkies dialect, written from its contract: two sockets and two peer connections, the answer's edits, one
// data channel of text. `window.client` lets the tests speak and look.

const log = (words) => { document.getElementById("log").textContent += `${words}\n`; };

const client = {
  /** Everything that the data channel has brought, parsed. */
  told: [],
  /** Lines of the signalling that begin with ERROR. */
  errors: [],
  states: { video: "new", audio: "new" },
  closed: 0,
  channel: null,
  peers: {},
  send(line) { this.channel.send(line); },
};
window.client = client;

const edited = (sdp) => {
  let text = sdp.replace("packetization-mode=", "sps-pps-idr-in-keyframe=1;packetization-mode=");
  if (!text.includes("stereo=1")) text = text.replace("useinbandfec=", "stereo=1;useinbandfec=");
  return text.replace(/minptime=\d+/g, "minptime=10");
};

function connect(peerId, name, configuration, element) {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(`${scheme}//${location.host}/webrtc/signalling/`);
  const peer = new RTCPeerConnection(configuration);
  client.peers[name] = peer;
  let greeted = false;
  let offered = false;
  socket.onopen = () => {
    const meta = { res: `${innerWidth}x${innerHeight}`, scale: devicePixelRatio };
    socket.send(`HELLO ${peerId} ${btoa(JSON.stringify(meta))}`);
  };
  socket.onclose = () => { client.closed += 1; };
  socket.onmessage = async ({ data }) => {
    if (data === "HELLO") { greeted = true; log(`${name}: registered`); return; }
    if (data.startsWith("ERROR")) { client.errors.push(data); log(data); return; }
    const message = JSON.parse(data);
    if (message.sdp) {
      if (!greeted || message.sdp.type !== "offer") throw new Error("an offer out of turn");
      offered = true;
      await peer.setRemoteDescription(message.sdp);
      const answer = await peer.createAnswer();
      answer.sdp = edited(answer.sdp);
      await peer.setLocalDescription(answer);
      socket.send(JSON.stringify({ sdp: peer.localDescription }));
    } else if (message.ice) {
      if (!offered) throw new Error("a candidate before the offer");
      await peer.addIceCandidate(new RTCIceCandidate(message.ice));
    }
  };
  peer.onicecandidate = ({ candidate }) => { if (candidate) socket.send(JSON.stringify({ ice: candidate })); };
  peer.onconnectionstatechange = () => { client.states[name] = peer.connectionState; log(`${name}: ${peer.connectionState}`); };
  peer.ontrack = ({ streams }) => { element.srcObject = streams[0]; };
  peer.ondatachannel = ({ channel }) => {
    // Both connections are of one class in the original, which answers pings wherever they come.
    if (name === "video") client.channel = channel;
    channel.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      client.told.push(message);
      if (message.type === "ping") channel.send(`pong,${Date.now() / 1000}`);
    };
  };
  client[`${name}Socket`] = socket;
}

fetch("/turn").then((response) => response.json()).then((configuration) => {
  client.configuration = configuration;
  const policy = new URLSearchParams(location.search).get("policy");
  if (policy) configuration.iceTransportPolicy = policy;
  connect(1, "video", configuration, document.getElementById("stream"));
  connect(3, "audio", configuration, document.getElementById("sound"));
});
