# A network of two layers reads handwritten digits, in R. Run it in this folder: Rscript mnist.R [epochs]

source("fastnet.R")
fastnet$utils$set_random_seed(0)

# Look at the fifth digit: R counts from 1. Rscript draws it in the file Rplots.pdf.
mnist <- dataset_mnist()
digit <- mnist$train$x[5, , ]
plot(as.raster(digit, max = 255))

# Make a row of 784 numbers from 0 to 1 of each picture. array_reshape takes the pixels row by row, as Python does.
x_train <- array_reshape(mnist$train$x, c(nrow(mnist$train$x), 28 * 28)) / 255
x_test <- array_reshape(mnist$test$x, c(nrow(mnist$test$x), 28 * 28)) / 255
y_train <- to_categorical(mnist$train$y)
y_test <- to_categorical(mnist$test$y)

network <- keras_model_sequential() |>
  layer_dense(units = 512, activation = "relu", input_shape = c(28 * 28)) |>
  layer_dense(units = 10, activation = "softmax")

network |> compile(optimizer = "rmsprop", loss = "categorical_crossentropy", metrics = c("accuracy"))

epochs <- as.numeric(c(commandArgs(trailingOnly = TRUE), 5)[1])
history <- network |> fit(x_train, y_train, epochs = epochs, batch_size = 128)
print(as.data.frame(history))

metrics <- network |> evaluate(x_test, y_test)
print(metrics)

predicted <- network |> predict_classes(x_test[1:10, ])
cat("predicted", predicted, "\ntrue     ", mnist$test$y[1:10], "\n")
