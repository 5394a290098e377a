//! The systemd user unit: by it the daemon is there from login on, and after a reboot where the user lingers.

use neronet_home::{Context, HomeError};
use neronet_store::StoreError;
use neronet_store::files::{self, Durability};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

const UNIT: &str = "neronet.service";

fn place(context: &Context) -> Result<PathBuf, HomeError> {
    let config = context.variable("XDG_CONFIG_HOME").filter(|folder| folder.starts_with('/')).map(PathBuf::from);
    let config = config.or_else(|| context.user_home.as_ref().map(|home| home.join(".config")));
    let config =
        config.ok_or_else(|| HomeError::Words("neither $XDG_CONFIG_HOME nor $HOME is set: nobody knows where units are".into()))?;
    Ok(config.join("systemd/user").join(UNIT))
}

/// Writes and enables the unit. Gives its place.
pub fn install(context: &Context) -> Result<PathBuf, HomeError> {
    let path = place(context)?;
    let home = context.home.root();
    // KillMode: what the daemon started goes on without it.
    let unit = format!(
        "# Written by `neronet serve --install`; `neronet serve --uninstall` takes it away.\n\
         [Unit]\nDescription=neronet: runs and their queue\n\n\
         [Service]\nEnvironment={}\nExecStart={} serve\nRestart=on-failure\nRestartPreventExitStatus=3\nKillMode=process\n\n\
         [Install]\nWantedBy=default.target\n",
        quoted(&format!("NERONET_HOME={}", home.display())),
        quoted(&context.neronet.display().to_string()).replace('$', "$$"),
    );
    if let Ok(there) = std::fs::read_to_string(&path)
        && !there.contains(&quoted(&format!("NERONET_HOME={}", home.display())))
    {
        return Err(HomeError::Failed(format!(
            "{} serves another home; take it away there first: neronet --home FOLDER serve --uninstall",
            path.display()
        )));
    }
    std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).map_err(StoreError::io("make the folder of", &path))?;
    files::replace(&path, unit.as_bytes(), Durability::Synced)?;
    let enabled = systemctl(&["daemon-reload"]).and_then(|()| systemctl(&["enable", "--now", UNIT]));
    if let Err(e) = enabled {
        std::fs::remove_file(&path).ok();
        return Err(e);
    }
    Ok(path)
}

/// Stops and takes away the unit. False when there is none.
pub fn uninstall(context: &Context) -> Result<bool, HomeError> {
    let path = place(context)?;
    if !path.exists() {
        return Ok(false);
    }
    systemctl(&["disable", "--now", UNIT])?;
    std::fs::remove_file(&path).map_err(StoreError::io("remove", &path))?;
    systemctl(&["daemon-reload"])?;
    Ok(true)
}

/// As systemd reads words: its own signs taken as they are.
fn quoted(word: &str) -> String {
    format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%"))
}

fn systemctl(words: &[&str]) -> Result<(), HomeError> {
    let without = "without systemd, `neronet serve --background` starts the daemon; in a crontab: @reboot neronet serve --background";
    let ran = Command::new("systemctl").arg("--user").args(words).output();
    let failed = |why: &str| HomeError::Failed(format!("systemctl --user {}: {why}; {without}", words.join(" ")));
    match ran {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(failed(String::from_utf8_lossy(&output.stderr).trim())),
        Err(e) if e.kind() == ErrorKind::NotFound => Err(HomeError::Failed(format!("there is no systemd here; {without}"))),
        Err(e) => Err(failed(&e.to_string())),
    }
}
