//! Names of parameters, tags and configuration. There `cls_token` and `label_key` are the matter of the training, so that a word
//! such as `token` makes a secret only beside words that say whose it is.

use super::{is_secret_name, words_of};

/// Words that name a secret wherever they stand.
const ALWAYS: &str = "SECRET SECRETS PASSWORD PASSWORDS PASSWD PASSPHRASE CREDENTIAL CREDENTIALS APIKEY";
/// Words that name one alone and behind words that say whose it is.
const ALONE: &str = "TOKEN AUTH AUTHORIZATION COOKIE PASS";
/// Words that name one only behind such words.
const BEHIND: &str = "TOKENS PAT PWD KEY KEYS";
/// Services that ask for a key, and what keys are for.
const KEYED: &str = "ACCESS ANTHROPIC API AUTH AWS AZURE CLEARML COHERE COMET DAGSHUB DATABRICKS ENCRYPTION GCP GEMINI GITHUB GITLAB GOOGLE \
     HF HUGGINGFACE KAGGLE LICENSE MASTER MLFLOW NEPTUNE NGC NVIDIA OPENAI PRIVATE REPLICATE SIGNING SLACK SSH TELEGRAM WANDB";
/// What the others say beside those.
const WHOSE: &str = "ACCOUNT ADMIN APP BEARER BOT CLIENT DATABASE DB DEPLOY DISCORD DOCKER FACE GH GIT HUB HUGGING JWT LOGIN MYSQL NPM OAUTH \
     PERSONAL POSTGRES PYPI READ REDIS REFRESH REGISTRATION REGISTRY REPO SECURITY SERVICE SESSION SET SMTP UPLOAD USE WRITE X";
/// What ends so is a place, a number or a name.
const HARMLESS_ENDS: &str = "PATH FILE DIR SOCK COUNT LENGTH LEN SIZE LIMIT ID DIM NAME";

/// Whether a parameter, a tag or an entry of a configuration holds a secret by its name. Of `hub.token` the last part says what it is.
pub fn is_secret_setting(name: &str) -> bool {
    let words = words_of(name.rsplit(['.', '/']).next().unwrap_or(name));
    let Some((last, before)) = words.split_last() else { return false };
    let is = |word: &str, known: &str| known.split_whitespace().any(|known| known == word);
    if is(last, HARMLESS_ENDS) {
        return false;
    }
    let whose = |word: &String| is(word, KEYED) || (!last.starts_with("KEY") && is(word, WHOSE));
    let named = is(last, ALONE) || (is(last, BEHIND) && !before.is_empty());
    let always = |word: &String| ALWAYS.split_whitespace().any(|known| word.ends_with(known));
    words.iter().any(always) || (named && before.iter().all(whose))
}

/// Whether a text that assigns to this name holds a secret: capitals are a variable of the environment, all else is a setting.
pub fn is_secret_assigned(name: &str) -> bool {
    if name.contains(char::is_lowercase) { is_secret_setting(name) } else { is_secret_name(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_are_secrets_are_told_from_words_of_machine_learning() {
        for name in [
            "api_key",
            "apiKey",
            "--api-key",
            "OPENAI_API_KEY",
            "wandb_api_key",
            "openai_key",
            "client_secret",
            "secret",
            "secret_key",
            "aws_secret_access_key",
            "access_key",
            "password",
            "db_password",
            "passwd",
            "passphrase",
            "access_token",
            "auth_token",
            "authToken",
            "--use-auth-token",
            "hf_token",
            "hub_token",
            "hf_hub_token",
            "token",
            "hub.token",
            "data/token",
            "credentials",
            "auth",
            "github_pat",
            "mysql_pwd",
            "session_cookie",
            "db_pass",
            "HF_TOKEN",
            "private_key",
            "_authToken",
        ] {
            assert!(is_secret_setting(name), "{name}");
        }
        for name in [
            "cls_token",
            "token_mixer",
            "label_key",
            "mask_token",
            "pad_token",
            "image_key",
            "key",
            "keys",
            "key_dim",
            "num_tokens",
            "max_tokens",
            "token_dropout",
            "num_key_value_heads",
            "eos_token_id",
            "use_cls_token",
            "return_keys",
            "sort_key",
            "text_key",
            "token_file",
            "api_key_path",
            "multi_pass",
            "author",
            "pat",
            "pwd",
            "model.cls_token",
            "user_key",
            "session_key",
            "tokens",
            "lr",
            "",
            "secret_dim",
        ] {
            assert!(!is_secret_setting(name), "{name}");
        }
    }
}
