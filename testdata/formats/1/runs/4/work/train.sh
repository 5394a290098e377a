# Trains nothing, and prints as training scripts print.
lr=$1 resume=${2-}
echo "Namespace(lr=$lr, optimizer='sgd', epochs=3)"
first=1
if [ -n "$resume" ]; then first=$(($(cat "$resume") + 1)); fi
for epoch in 1 2 3; do
    if [ "$epoch" -lt "$first" ]; then continue; fi
    echo "epoch $epoch/3 loss 0.$((9 / epoch))"
    echo "$epoch" >model.new
    mv model.new model.ckpt
    # Somebody ends the first attempt here.
    if [ -n "${WAITS-}" ] && [ -z "$resume" ] && [ "$epoch" = 2 ]; then sleep 60; fi
done
echo "test_acc 97.5"
echo '{"epoch": 3, "grad": NaN, "phase": "over"}' >>"$NERONET_METRICS"
printf 'epoch,val_loss\n3,0.45\n' >log.csv
# not committed
