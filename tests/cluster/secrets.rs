//! Shell: where passwords and TURN's shared secret are, and where they are not.

use crate::{
    control_plane::with_cluster,
    dump,
    place::{Place, TURN_SECRET},
    wait::{SOON, until},
};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use serde_json::json;

#[test]
fn no_secret_is_in_a_pod_an_argument_a_log_or_an_event() {
    with_cluster(async |cluster| {
        let place = Place::new(cluster, "secrets").await;
        place.template("office", json!({})).await;
        let file = cluster.folder().join(format!("{}.secret", place.name));
        std::fs::write(&file, format!("{TURN_SECRET}\n")).unwrap();
        let secret_file = format!("--turn-secret-file={}", file.display());
        let operator = place
            .operator(&["--turn-hosts=turn.vdi.test", "--turn-networks=192.0.2.0/24", &secret_file])
            .await;
        place.session("work", "office", json!({})).await;
        let session = place.running("work").await;
        let secrets: Api<Secret> = place.api();
        let secret = secrets.get("desktop-work").await.unwrap();
        let text = |key: &str| String::from_utf8(secret.data.as_ref().unwrap()[key].0.clone()).unwrap();
        let (password, rtc) = (text("password"), text("rtc.json"));
        assert_eq!(password.len(), 32);
        assert!(rtc.contains("turn.vdi.test"), "{rtc}");
        let rtc: serde_json::Value = serde_json::from_str(&rtc).unwrap();
        let credential = rtc["iceServers"]
            .as_array()
            .unwrap()
            .iter()
            .find_map(|server| server["credential"].as_str())
            .unwrap();

        let launcher = place.launcher(&session);
        until("the operator to ask with the password", SOON, async || {
            if launcher.asked() > 0 { Ok(()) } else { Err("never") }
        })
        .await;
        // The failure is told of in an event and in the log.
        place.kubelet(&session).await.ended(137, "OOMKilled", "").await;
        place
            .session_until("work", "a restart", |seen| {
                seen.status.as_ref().is_some_and(|it| it.restarts == Some(1))
            })
            .await;

        let pid = operator.program.pid();
        let arguments = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
        let mut objects = dump::raw(&place).await;
        objects.retain(|name, _| !name.starts_with("Secret/"));
        let places = [
            ("its arguments", arguments),
            ("its log", operator.program.log()),
            ("the events", dump::events(&place).await.join("\n")),
            ("the objects", serde_json::to_string(&objects).unwrap()),
        ];
        assert!(places[1].1.contains("create Secret"), "the log tells every write");
        for (name, text) in places {
            for secret in [&password as &str, credential, TURN_SECRET] {
                assert!(!text.contains(secret), "a secret is in {name}");
            }
        }
    });
}

#[test]
fn turn_credentials_are_renewed_at_half_of_their_life() {
    with_cluster(async |cluster| {
        let place = Place::new(cluster, "turn").await;
        place.template("office", json!({})).await;
        let file = cluster.folder().join(format!("{}.secret", place.name));
        std::fs::write(&file, TURN_SECRET).unwrap();
        let secret_file = format!("--turn-secret-file={}", file.display());
        let operator = place
            .operator(&[
                "--turn-hosts=turn.vdi.test",
                "--turn-networks=192.0.2.0/24",
                "--turn-lifetime=2m",
                &secret_file,
            ])
            .await;
        place.session("work", "office", json!({})).await;
        place.running("work").await;
        let secrets: Api<Secret> = place.api();
        let first = secrets.get("desktop-work").await.unwrap().data.unwrap();
        let second = until("other credentials", 2 * SOON, async || {
            let now = secrets.get("desktop-work").await.unwrap().data.unwrap();
            if now["rtc.json"] == first["rtc.json"] { Err("those of before") } else { Ok(now) }
        })
        .await;
        assert_eq!(first["password"], second["password"], "whoever is at the page stays");
        assert_eq!(operator.program.ended(), None);
    });
}
