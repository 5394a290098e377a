//! Whole files as researchers have them, after several changes at once.

use crate::{difference, edited, refused};
use neronet_edit::{Format, check};

/// What changed, then the whole file.
fn shown(name: &str, text: &str, pairs: &[(&str, &str)]) -> String {
    let format = Format::of(name).expect("a known ending");
    let paths: Vec<String> = pairs.iter().map(|(path, _)| path.to_string()).collect();
    check(text, format, &paths).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
    let after = edited(format, text, pairs);
    format!("{}\n\n{after}", difference(text, &after))
}

#[test]
fn a_configuration_of_hydra() {
    insta::assert_snapshot!(shown(
        "conf/config.yaml",
        include_str!("configs/hydra.yaml"),
        &[
            ("name", "no"),
            ("seed", "7"),
            ("optim.lr", "3e-4"),
            ("optim.betas[1]", "0.98"),
            ("optim.weight_decay", "0.05"),
            ("optim.schedule.milestones", "[40, 80]"),
            ("optim.schedule.gamma", "0.2"),
            ("trainer.precision", "bf16"),
            ("trainer.resume", "/data/my runs/last.ckpt"),
            ("trainer.tags", "[a, 007, b: c]"),
            ("trainer.logger", "wandb"),
            ("callbacks.0.monitor", "val/acc"),
            ("callbacks.1.save_top_k", "-1"),
            ("callbacks.1.filename", "it's"),
            ("defaults.1.data", "imagenet"),
            ("hydra.help.header", "short"),
            ("hydra.help.footer", "also short"),
        ]
    ));
}

#[test]
fn a_detector() {
    insta::assert_snapshot!(shown(
        "detector.yml",
        include_str!("configs/detector.yaml"),
        &[
            ("_base_", "[x.yaml]"),
            ("norm.requires_grad", "false"),
            ("model.backbone.depth", "101"),
            ("model.backbone.out_indices[0]", "1"),
            ("model.backbone.init_cfg.checkpoint", "open-mmlab://r101"),
            ("model.neck.in_channels", "[512, 1024]"),
            ("model.rpn.head.anchors.ratios", "[1e-1, 1]"),
            ("train_pipeline.1.img_scale.0", "[1000, 600]"),
            ("train_pipeline.1.keep_ratio", "false"),
            ("train_pipeline[2].flip_ratio", "0.25"),
            ("…größe", "2"),
        ]
    ));
}

#[test]
fn arguments_of_a_trainer() {
    insta::assert_snapshot!(shown(
        "args.json",
        include_str!("configs/trainer.json"),
        &[
            ("model_name_or_path", "C:\\models\\\"x\""),
            ("learning_rate", "1e-4"),
            ("per_device_train_batch_size", "16"),
            ("fp16", "true"),
            ("report_to", "[none]"),
            ("lr_scheduler_kwargs.num_cycles", "0.5"),
            ("layers.1.act", "relu"),
            ("layers[0].width", "32"),
            ("max_grad_norm", "1.0"),
            ("resume_from_checkpoint", "last"),
            ("größe \"x\".a.b", "3"),
            ("größe \"x\".\"\"", "4"),
        ]
    ));
}

#[test]
fn a_python_project() {
    insta::assert_snapshot!(shown(
        "pyproject.toml",
        include_str!("configs/project.toml"),
        &[
            ("project.version", "0.2.0"),
            ("project.dependencies", "[torch]"),
            ("tool.train.lr", "1e-4"),
            ("tool.train.optim.betas.0", "0.95"),
            ("tool.train.optim.weight.decay", "0.1"),
            ("tool.train.schedule.kind", "linear"),
            ("tool.train.prompt", "one\ntwo"),
            ("tool.train.begin", "2025-01-01"),
            ("tool.train.mask", "15"),
            ("tool.train.amp", "false"),
            ("tool.train.layers[1].width", "256"),
            ("tool.train.layers.1.act", "it's"),
            ("tool.odd.key with spaces", "x"),
        ]
    ));
}

#[test]
fn a_configuration_of_fairseq() {
    insta::assert_snapshot!(shown(
        "fairseq.ini",
        include_str!("configs/fairseq.ini"),
        &[
            ("root", "/scratch/my data"),
            ("verbose", "false"),
            ("DEFAULT.workers", "8"),
            ("optimizer.lr", "1e-3"),
            ("optimizer.betas", "(0.9, 0.999)"),
            ("optimizer.name", "sgd"),
            ("optimizer.schedule", "cosine"),
            ("optimizer.layers", "24"),
            ("optimizer.dropout", "0.1"),
            ("model.encoder.share_all", "true"),
            ("model.encoder.Layers", "3"),
        ]
    ));
}

#[test]
fn a_case_of_a_solver() {
    let pairs = [("control.endTime", "2.5"), ("control.deltat", "1e-3"), ("mesh.cells", "(40 40 1)"), ("mesh.grading", "none")];
    insta::assert_snapshot!(shown("solver.cfg", include_str!("configs/solver.cfg"), &pairs));
}

#[test]
fn the_format_is_told_by_the_ending() {
    let names = ["a.yaml", "b/c.YML", "a.json", "a.jsonc", "a.toml", "a.ini", "a.cfg", "a.conf"];
    assert!(names.iter().all(|name| Format::of(name).is_some()));
    assert!(["yaml", "a.py", "a.yaml/b", "a.", "", "a.json5", ".ini.d/x"].iter().all(|name| Format::of(name).is_none()));
}

#[test]
fn configurations_of_other_kinds_are_no_ini_files() {
    let nginx = "server {\n  listen 80;\n}\n";
    let hocon = "train {\n  lr = 0.1\n}\n";
    insta::assert_snapshot!([nginx, hocon].map(|text| refused(Format::Ini, text, &[("lr", "1")])).join("\n"));
}
