// Setup: what the doctor says, in German.
import type { DoctorWords } from "../table";

export const doctor: DoctorWords = {
  doctor: "Diagnose",
  open: "Verbindung prüfen",
  openOnCurtain: "Ursache finden",
  looking: "Die Verbindung wird untersucht …",
  lookingDetail: "Jeder Server wird wirklich ausprobiert, das dauert bis zu zehn Sekunden.",
  browserSide: "Von diesem Browser aus",
  serverSide: "Vom Server aus",
  again: "Erneut prüfen",
  copy: "Bericht kopieren",
  copied: "Kopiert",
  copyFailed: "Markieren und kopieren Sie den Text unten",
  close: "Schließen",
  details: (count) => (count === 1 ? "Der Weg, der versucht wurde" : `Alle ${count} Wege, die versucht wurden`),

  outcome: { passed: "in Ordnung", warning: "könnte besser sein", failed: "geht nicht", skipped: "nicht geprüft" },

  verdict: {
    connected: { title: "Sie sind direkt verbunden", advice: "Bilder nehmen den kürzesten Weg vom Server zu diesem Browser." },
    relayed: {
      title: "Sie sind über einen TURN-Server verbunden",
      advice: "Alles in Ordnung. Ein direkter Weg wäre etwas schneller; eine Firewall, ein Router oder die Einstellungen des Servers verhindern ihn.",
    },
    serverSilent: { title: "Der Server antwortet nicht", advice: "Prüfen Sie, ob der Desktop läuft und ob Sie im richtigen Netz oder VPN sind; versuchen Sie es dann noch einmal." },
    notTried: { title: "Die Verbindung kam nicht bis zum Medienweg", advice: "Was der Server unten sagt, hilft weiter." },
    noRelayConfigured: {
      title: "Nur vermittelte Wege sind erlaubt, und es gibt keinen TURN-Server",
      advice: "Ihr Administrator muss einen TURN-Server einrichten (--turn-host) oder direkte Wege erlauben (--ice-transport-policy=all).",
    },
    relayCredentials: {
      title: "Der TURN-Server lehnt Benutzer oder Passwort ab",
      advice: "Ihr Administrator muss die TURN-Zugangsdaten oder das gemeinsame Geheimnis berichtigen und die beiden Uhren vergleichen.",
    },
    relayUnreachable: {
      title: "Der TURN-Server ist von hier aus nicht erreichbar",
      advice: "Eine Firewall dazwischen sperrt den Weg, oder er läuft nicht. TURN über TLS auf Port 443 kommt durch die meisten Firewalls.",
    },
    noCandidates: {
      title: "Dieser Browser bietet keine Adresse an",
      advice: "Eine Einstellung, eine Richtlinie oder eine Erweiterung des Browsers verbietet WebRTC das Netz („WebRTC IP handling“). Erlauben Sie es, oder nehmen Sie TURN.",
    },
    serverNoCandidates: {
      title: "Der Server bietet keine Adresse an",
      advice: "Er hat kein Netz, das Browser erreichen könnten, oder seine Einstellungen schließen jede Adresse aus. Die Prüfungen des Servers unten sagen mehr.",
    },
    blockedNoTurn: {
      title: "Eine Firewall sperrt die Medien, und es gibt keinen TURN-Server",
      advice: "Seite und Server können reden, aber Pakete zwischen ihren Adressen kommen nicht durch. Ihr Administrator muss UDP öffnen oder einen TURN-Server einrichten.",
    },
    blockedTurnCredentials: {
      title: "Eine Firewall sperrt den direkten Weg, und der TURN-Server lehnt Benutzer oder Passwort ab",
      advice: "Ihr Administrator muss die TURN-Zugangsdaten oder das gemeinsame Geheimnis berichtigen und die beiden Uhren vergleichen.",
    },
    blockedTurnUnreachable: {
      title: "Eine Firewall sperrt den direkten Weg, und auch der TURN-Server ist nicht erreichbar",
      advice: "TURN über TLS auf Port 443 kommt durch die meisten Firewalls; Ihr Administrator kann es anbieten.",
    },
    blocked: {
      title: "Der TURN-Server funktioniert, und doch kommt nichts durch",
      advice: "Vielleicht darf der TURN-Server den Server des Desktops nicht erreichen: Sehen Sie nach seinen erlaubten Gegenstellen und der Firewall zwischen beiden.",
    },
  },

  server: {
    passed: { title: "Funktioniert", advice: "" },
    credentials: { title: "Lehnt Benutzer oder Passwort ab", advice: "Berichtigen Sie die Zugangsdaten oder das gemeinsame Geheimnis; wenn sie ablaufen, vergleichen Sie die Uhren beider Server." },
    forbidden: { title: "Verbietet es", advice: "Die Regeln des Servers schließen dieses Netz aus: Sehen Sie nach seinen erlaubten und verbotenen Adressen." },
    quota: { title: "Hat keine Adresse mehr zu vergeben", advice: "Erhöhen Sie sein Kontingent, oder erweitern Sie den Bereich seiner Relay-Ports." },
    unreachable: { title: "Ist von diesem Browser aus nicht erreichbar", advice: "Eine Firewall sperrt ihn, dort lauscht nichts, oder (bei turns:) seinem Zertifikat wird nicht vertraut." },
    silent: { title: "Hat nicht rechtzeitig geantwortet", advice: "Eine Firewall verwirft die Pakete. TCP oder TLS auf Port 443 kommt öfter durch als UDP." },
    refused: { title: "Gab keine Adresse", advice: "Sehen Sie ins Protokoll des Servers." },
  },
  took: (ms) => `${Math.round(ms)}\u00a0ms`,

  rowPath: "Weg",
  rowGathered: "Adressen",
  rowPairs: "Versuche",
  rowServer: "Server",
  rowClock: "Uhr",
  rowDoctor: "Bericht",
  pathDirect: (kind, ms) => `Medien gehen direkt (${kind}), ${ms} hin und zurück.`,
  pathRelayed: (kind, ms) => `Medien gehen über einen TURN-Server (${kind}), ${ms} hin und zurück.`,
  noPath: "Kein Weg steht.",
  unknownTime: "Zeit unbekannt",
  gathered: (own, servers) => `Dieser Browser bietet ${own}; der Server bietet ${servers}.`,
  kinds: (host, srflx, relay) =>
    host + srflx + relay === 0
      ? "keine"
      : [host > 0 ? `${host} eigene` : "", srflx > 0 ? `${srflx} von außen gesehen` : "", relay > 0 ? `${relay} vermittelt` : ""].filter(Boolean).join(", "),
  noUdp: "Keine Adresse dieses Browsers ist für UDP: Seine Einstellungen oder eine Richtlinie verbieten es.",
  pairs: (tried, answered) => `${tried} ${tried === 1 ? "Weg" : "Wege"} versucht, ${answered} beantwortet.`,
  pair: (local, kind, remote, state) => `${local} (${kind}) → ${remote}: ${state}`,
  pairChosen: "gewählt",
  pairAnswers: (answered, asked) => `${answered}/${asked} beantwortet`,
  noServers: "Kein STUN- oder TURN-Server ist eingerichtet.",
  noServersAdvice: "Hinter strengen Firewalls können Seiten sich dann nicht verbinden.",
  clockFine: (seconds) => `Die Uhren dieses Browsers und des Servers gehen ${seconds}\u00a0s auseinander.`,
  clockWrong: (seconds) => `Die Uhren dieses Browsers und des Servers gehen ${seconds}\u00a0s auseinander.`,
  clockAdvice: "Zertifikate und Zugangsdaten werden dann vielleicht abgelehnt: Stellen Sie beide Uhren über das Netz.",
  noReport: "Die Prüfungen des Servers waren nicht zu bekommen.",
  noReportOf: (status) => `Der Server antwortete mit ${status} auf die Frage nach seinen Prüfungen.`,
  noReportAdvice: "Ein Server ohne Launcher hat keine; die Prüfungen des Browsers gelten trotzdem.",

  checkName: {
    gpu: "GPU",
    encoder: "Encoder",
    media: "Medien",
    latency: "Latenz",
    candidates: "Adressen",
    servers: "Server",
    stun: "STUN",
    turnUdp: "TURN, UDP",
    turnTcp: "TURN, TCP",
    turnTls: "TURN, TLS",
    dns: "Namen",
    clock: "Uhr",
    sound: "Ton",
    microphone: "Mikrofon",
    webcam: "Webcam",
    gamepads: "Gamepads",
  },
};
