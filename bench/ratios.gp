# Rates and cpu per URB as multiples of the raw client's. Variables: data, out.
set terminal svg size 900,640 font "sans,12"
set output out
set style data histograms
set style histogram clustered gap 1
set style fill solid 0.8 border -1
set boxwidth 0.9
set grid ytics
set xtics rotate by -35 scale 0
set key top left horizontal
set multiplot layout 2,1
set title "URBs per second, raw client = 1 (more is better)"
set yrange [0:1.4]
set arrow 1 from graph 0, first 0.9 to graph 1, first 0.9 nohead dashtype 2
plot data using 2:xtic(1) title "library", '' using 3 title "usbwire bench"
unset arrow 1
set title "CPU time per URB, raw client = 1 (less is better)"
set yrange [0:*]
set arrow 2 from graph 0, first 1.3 to graph 1, first 1.3 nohead dashtype 2
plot data using 4:xtic(1) title "library", '' using 5 title "usbwire bench"
unset multiplot
