//! What other trackers wrote with their own libraries (`samples/make.py`), read through the public door.

mod follow;
mod hostile;
mod mlflow;
mod recorder;
mod sacred;
mod tensorboard;
mod wandb;
