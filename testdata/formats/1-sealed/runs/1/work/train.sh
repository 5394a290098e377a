first=1
if [ -e half ]; then first=101; fi
epoch=$first
while [ $epoch -le 200 ]; do
    echo "epoch $epoch/200 loss 0.$((10000 - 7 * epoch)) and what else there is to say"
    echo "{\"epoch\": $epoch, \"accuracy\": 0.$((1000 + epoch)), \"lr\": 0.001}" >>"$NERONET_METRICS"
    if [ $epoch = 100 ] && [ $first = 1 ]; then echo half >half.new && mv half.new half; exit 3; fi
    epoch=$((epoch + 1))
done
