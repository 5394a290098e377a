cat conf.ini "$2/train.txt"
echo "epoch 1/1 loss $1"
echo "$1" >model.new
mv model.new model.ckpt
echo "acc,$1" >preds.csv
echo kept by nobody >scratch.txt
