//! What a source says in passing and a draft must not lose: a value each, and the word that tells of what is left out.

use crate::{is_secret, read};
use neronet_draft::{Draft, Hydra, Source, of_help, of_hydra, of_text};

#[track_caller]
fn of(source: Source, text: &str) -> Draft {
    let draft = of_text(source, text, "source", is_secret).unwrap_or_else(|why| panic!("{why}"));
    read(&draft).unwrap_or_else(|problems| panic!("{problems}\n{}", draft.text));
    draft
}

/// Each line is in the draft or in its notes.
#[track_caller]
fn says(draft: &Draft, lines: &[&str]) {
    for line in lines {
        let found = draft.text.lines().any(|written| written.contains(line)) || draft.notes.iter().any(|note| note.contains(line));
        assert!(found, "no {line:?} in\n{}", draft.text);
    }
}

#[test]
fn parameters_of_the_experiments_are_parameters_of_the_command_above_them() {
    let config = "run_command_prefix: python\nmain_code_file: t.py\nparameters_format: '{x} {y}'\nparameters: {x: 1}\n";
    let draft = of(Source::Ancestor, &format!("{config}+a:\n  parameters: {{y: 2}}\n+b:\n  parameters: {{y: [3, 4]}}\n"));
    says(&draft, &["command = \"python t.py {x} {y}\""]);
    assert_eq!(draft.text.matches("command =").count(), 1, "{}", draft.text);
    // What one of them lacks it gets as it is written, as before.
    let draft = of(Source::Ancestor, &format!("{config}+a:\n  parameters: {{y: 2}}\n+b:\n  parameters: {{z: 3}}\n"));
    assert_eq!(draft.text.matches("command =").count(), 2, "{}", draft.text);
}

#[test]
fn variables_of_a_scheduler_keep_their_values() {
    let options = "#SBATCH -J net -c 4 -n 2 --gres=gpu:a100:2,gpu:v100:1 --mail-user=jdoe --mail-type=END\n";
    let draft = of(
        Source::Sbatch,
        &format!(
            "{options}echo $SLURM_NODELIST\npython t.py --w $SLURM_CPUS_PER_TASK --id ${{SLURM_JOB_ID}} --n $SLURM_NTASKS --h $SLURM_TOPOLOGY_ADDR\n"
        ),
    );
    says(
        &draft,
        &[
            "SLURM_CPUS_PER_TASK = \"4\"",
            "SLURM_JOB_ID = \"{run.id}\"",
            "SLURM_NTASKS = \"2\"",
            "$SLURM_TOPOLOGY_ADDR would be set by the scheduler",
            "gpus = 3",
            "options = [\"--gres=gpu:a100:2,gpu:v100:1\"]",
            "# email = \"jdoe@…\"",
            "no mail is sent, since jdoe is no address",
        ],
    );
    assert!(!draft.text.contains("NODELIST"), "{}", draft.text);
    let draft = of(Source::GridEngine, "#$ -pe smp 4 -M jdoe\n#$ -N net\nOMP_NUM_THREADS=$NSLOTS python t.py --job $JOB_NAME --lr 1\n");
    says(&draft, &["NSLOTS = \"4\"", "JOB_NAME = \"net\""]);
}

#[test]
fn programs_that_run_at_the_same_time_stay_so() {
    let draft = of(Source::Sbatch, "#SBATCH -c 2\npython a.py --x 1 &\npython b.py --x 2 &\nwait\n");
    says(&draft, &["command = \"bash source\"", "programs that run at the same time"]);
    // One that goes on alone is what neronet does anyway.
    let draft = of(Source::Sbatch, "#SBATCH -c 2\nfor x in 1 2; do python a.py --x $x & done\nwait\n");
    says(&draft, &["x = [1, 2]"]);
}

#[test]
fn a_folder_for_output_is_where_the_run_works() {
    says(&of(Source::Sbatch, "#SBATCH -c 2\npython a.py --out results/$SLURM_JOB_ID\n"), &["--out is relative to where the run works"]);
    says(&of(Source::Sbatch, "#SBATCH -c 2\npython a.py --out $SCRATCH/x\n"), &["--out names one place for all runs"]);
}

#[test]
fn a_loop_is_called_by_what_it_has() {
    let body = "for d in 0.01 0.1 1; do python t.py --d $d | grep loss > $d.txt; done\n";
    says(&of(Source::Commands, body), &["since it has a pipe"]);
}

#[test]
fn one_line_that_is_there_twice() {
    says(
        &of(Source::Commands, "python t.py --x 1\npython t.py --x 1\npython t.py --x 2\n"),
        &["one line is there twice and is taken once"],
    );
}

fn help(text: &str, source: &str) -> Draft {
    let draft = of_help(text, &["python".into(), "t.py".into()], None, source, is_secret).unwrap_or_else(|why| panic!("{why}"));
    read(&draft).unwrap_or_else(|problems| panic!("{problems}\n{}", draft.text));
    draft
}

#[test]
fn defaults_are_handed_over_only_where_they_mean_the_same() {
    let draft = help(
        "usage: t.py [-h] [--pretrained PRETRAINED]\n\noptions:\n  --pretrained PRETRAINED  (default: False)\n  --cache BOOLEAN          [default: False]\n  --betas <FLOAT FLOAT>...  [default: 0.9, 0.999]\n",
        "",
    );
    says(
        &draft,
        &["# pretrained = \"False\"", "with type=bool every text but the empty one is true", "\ncache = \"False\"".trim(), "[0.9, 0.999]"],
    );
}

#[test]
fn the_script_says_what_its_help_does_not() {
    let draft = help(
        "usage: t.py [-h] [--lr LR] [--n N] [--opt OPT] [--flag FLAG] --data DATA\n\noptions:\n  --lr LR\n  --n N\n  --opt OPT\n  --flag FLAG  (default: False)\n  --data DATA\n",
        "p.add_argument('--lr', '-l', type=float, default=1e-3,\n  help='a, b (c)')\np.add_argument(\"--n\", type=int)\n\
         p.add_argument('--opt', default=make('x'))\np.add_argument('--flag', type=str2bool, default=False)\n\
         # p.add_argument('--n', default=99)\n'\'#'\n\"\"\"p.add_argument('--n', default=98)\"\"\"\nprint(\"add_argument('--n', default=97)\")\n",
    );
    says(
        &draft,
        &[
            "# lr = 1e-3",
            "the script's own default",
            "# n =",
            "# a whole number",
            "# opt =",
            "flag = \"False\"",
            "--data is required",
            "data = []",
        ],
    );
    assert!(!draft.text.contains("# flag") && !["97", "98", "99"].iter().any(|other| draft.text.contains(other)), "{}", draft.text);
    let refused = neronet_spec::parse(&draft.text, "neronet.toml", None, &[]).expect_err("a value is missing").to_string();
    assert!(refused.contains("parameter 'data' has no values"), "{refused}");
}

#[test]
fn an_option_that_several_parsers_declare_has_no_default_of_one_of_them() {
    let draft = help(
        "usage: t.py [-h] [--depth DEPTH] [--width WIDTH]\n\noptions:\n  --depth DEPTH\n  --width WIDTH\n",
        "p.add_argument('--depth', type=int)\nq.add_argument('--depth', type=int, default=77)\n\
         p.add_argument('--width', default=8)\nq.add_argument('--width', default=8)\n",
    );
    says(&draft, &["# width = 8"]);
    assert!(!draft.text.contains("77"), "{}", draft.text);
}

#[test]
fn options_of_the_program_stand_before_its_subcommand() {
    let draft = help(
        "usage: t.py [-h] [--lr LR] {fit,test} ...\n\npositional arguments:\n  {fit,test}\n\noptions:\n  -h, --help  show this\n  --lr LR     (default: 0.1)\n",
        "",
    );
    says(&draft, &["command = \"python t.py {flags} {subcommand}\""]);
}

#[test]
fn a_sweep_hands_over_what_w_and_b_would() {
    let draft = of(
        Source::Sweep,
        "method: random\nprogram: t.py\ncommand: ['${interpreter}', '${program}', '--data=${envvar:HOME}/d', '${odd}', '${args_no_equals}']\n\
         parameters:\n  layers: {value: [64, 32]}\n  wd: {distribution: q_log_uniform_values, min: 1, max: 9, q: 2}\n",
    );
    says(
        &draft,
        &[
            r#"python t.py --data=\"$HOME\"/d"#,
            "list = \"brackets\"",
            "its draws are not rounded to multiples of 2",
            "${odd} in the command is not known",
        ],
    );
    assert!(draft.text.contains("{flags}"), "{}", draft.text);
}

#[test]
fn what_a_hydra_project_requires_or_searches() {
    let command = ["python".to_string(), "t.py".to_string()];
    let primary = "seed: ???\nhydra:\n  sweeper:\n    n_trials: 15\n    params: {lr: 'choice(1, 2, 3)', n: 'range(1, 6)'}\n";
    let draft = of_hydra(&Hydra { command: &command, primary, name: "config.yaml", ..Hydra::default() }).expect("a draft");
    let plan = read(&draft).expect("good");
    assert_eq!(plan.experiments[0].count(), 15, "{}", draft.text);
    says(&draft, &["# seed = \"???\"", "seed is required (???)"]);
}
